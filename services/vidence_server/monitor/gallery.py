"""The people of the operator's folder, by their faces."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import structlog

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.engine import Engine
from vidence_server.monitor.matching import MatchRule
from vidence_server.monitor.ports import Faces, Identity
from vidence_server.vision.decode import ImageDecoder
from vidence_server.vision.faces.face import Template

_LONGEST_NAME = 128
_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class NobodyKnown:
    """A `Gallery` without people."""

    threshold = 1.0

    async def identify(self, template: Template) -> Identity | None:  # noqa: ARG002 - the signature of `Gallery`
        """Nobody."""
        return None


class FolderGallery:
    """A `Gallery` in memory; each person is like a face as the most similar of their pictures is."""

    def __init__(self, people: Mapping[str, Sequence[Template]], rule: MatchRule) -> None:
        self._names = [name for name, templates in people.items() for _ in templates]
        self._vectors = np.stack([one.vector for templates in people.values() for one in templates])
        self._rule = rule

    @property
    def threshold(self) -> float:
        """Similarity from which on somebody counts as known."""
        return self._rule.threshold

    async def identify(self, template: Template) -> Identity | None:
        """Whom a face belongs to; see `Gallery.identify`."""
        best: dict[str, float] = {}
        for name, value in zip(self._names, self._vectors @ template.vector, strict=True):
            best[name] = max(best.get(name, -1.0), float(value))
        ranked = sorted(best.items(), key=lambda entry: -entry[1])
        return self._rule.decide([Identity(name, similarity) for name, similarity in ranked])


@dataclass(frozen=True, slots=True)
class Enroller:
    """Makes templates of files."""

    engine: Engine
    decoder: ImageDecoder
    faces: Faces
    min_inter_eye_px: float

    async def template(self, path: Path) -> Template:
        """Of the one face of a picture.

        Raises:
            DomainError: NO_FACE, SEVERAL_FACES, the IMAGE_… reasons, the engine's.
            OSError: The file cannot be read.
        """
        content = await asyncio.to_thread(path.read_bytes)
        image = await self.engine.call(partial(self.decoder.decode, content), step="gallery-decode")
        found = [
            face
            for face in await self.faces.detect(image.pixels)
            if face.inter_eye_px >= self.min_inter_eye_px
        ]
        if len(found) != 1:
            raise DomainError(Reason.SEVERAL_FACES if found else Reason.NO_FACE, "One face is asked for.")
        return (await self.faces.embed(image.pixels, found))[0]


async def load_gallery(folder: Path, rule: MatchRule, enroller: Enroller) -> FolderGallery:
    """Learns the people of a folder, `NAME/*.jpg`; a picture that does not show one face is left out.

    Which pictures those are is logged by number in the order of their names: names are personal data.

    Raises:
        DomainError: CONFIGURATION_INVALID, where there is no such folder, a name cannot be used or nobody is
            left.
    """
    log = structlog.get_logger(__name__)
    people: dict[str, list[Template]] = {}
    unusable = 0
    for number, (name, paths) in enumerate(await asyncio.to_thread(_people, folder), 1):
        for position, path in enumerate(paths, 1):
            try:
                people.setdefault(name, []).append(await enroller.template(path))
            except (DomainError, OSError) as error:
                reason = str(error.reason) if isinstance(error, DomainError) else type(error).__name__
                log.warning("picture of the people not used", person=number, picture=position, reason=reason)
                unusable += 1
    known = {name: templates for name, templates in people.items() if templates}
    if not known:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, "The folder of people has no picture `NAME/*.jpg` with one face."
        )
    log.info("people known", people=len(known), pictures=sum(map(len, known.values())), unusable=unusable)
    return FolderGallery(known, rule)


def _people(folder: Path) -> list[tuple[str, list[Path]]]:
    """Names and pictures, by name."""
    if not folder.is_dir():
        raise DomainError(Reason.CONFIGURATION_INVALID, "The folder of people does not exist.")
    found = []
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        paths = sorted(path for path in person.iterdir() if path.suffix.lower() in _PICTURES)
        if paths and len(person.name) > _LONGEST_NAME:
            raise DomainError(
                Reason.CONFIGURATION_INVALID, f"A person's name is longer than {_LONGEST_NAME} characters."
            )
        if paths and not _is_text(person.name):
            raise DomainError(Reason.CONFIGURATION_INVALID, "A person's name is no text in UTF-8.")
        if paths:
            found.append((person.name, paths))
    return found


def _is_text(name: str) -> bool:
    """Whether events and digests can hold the name of a folder, which may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
