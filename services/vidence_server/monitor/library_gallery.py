"""The people of a library, by the faces that are enrolled there."""

from __future__ import annotations

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError
from vidence_server.monitor.matching import MatchRule
from vidence_server.monitor.ports import FaceSearch, Identity
from vidence_server.vision.faces.face import Template

_RANKED = 2
"""The nearest, and the one whom it must be nearer than."""
_PAUSE_S = 1.0
"""Time after a failure in which the library is not asked: faces wait for its answer, and frames for them."""


class LibraryGallery:
    """A `Gallery` that asks a library; people are named by their `subject_id`.

    Whoever is enrolled or deleted there is known or unknown from the next look on. While the library cannot
    be asked nobody is named, and watching goes on: a person who stays is looked at again.
    """

    def __init__(self, search: FaceSearch, library_id: str, rule: MatchRule, *, clock: Clock) -> None:
        """A gallery.

        Args:
            search: Asks the library service.
            library_id: Whose people.
            rule: When a face is somebody's.
            clock: For the pause after a failure.
        """
        self._search = search
        self._library_id = library_id
        self._rule = rule
        self._clock = clock
        self._silent_until_s = 0.0
        self._said = ""
        self._log = structlog.get_logger(__name__)
        self.failures = 0
        """Questions that were not answered."""

    @property
    def threshold(self) -> float:
        """Similarity from which on somebody counts as known."""
        return self._rule.threshold

    async def identify(self, template: Template) -> Identity | None:
        """Whom a face belongs to; see `Gallery.identify`."""
        if self._clock.monotonic() < self._silent_until_s:
            return None
        try:
            found = await self._search.search_faces(
                self._library_id,
                (template.model, template.version),
                template.vector.astype("<f4").tobytes(),
                _RANKED,
            )
        except DomainError as error:
            self._failed(error)
            return None
        self._said = ""
        return self._rule.decide([Identity(subject, score) for subject, score in found])

    def _failed(self, error: DomainError) -> None:
        self.failures += 1
        self._silent_until_s = self._clock.monotonic() + _PAUSE_S
        if error.reason != self._said:
            self._said = error.reason
            self._log.warning("the library of people cannot be asked", reason=error.reason)
