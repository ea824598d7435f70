"""After the capture: reads the document, compares portrait and selfie, and puts the checks together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from vidence_server.capture.album import PictureAlbum
from vidence_server.capture.domain.events import DocumentRead
from vidence_server.capture.domain.results import CapturedTarget, Evidence, Verification
from vidence_server.capture.domain.states import Target
from vidence_server.capture.domain.verification import FieldFact, Findings, checks
from vidence_server.capture.live import LiveSession
from vidence_server.capture.ports import Comparison, DocumentReader, FaceComparer
from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason


class Processing:
    """What is done when all pictures of a session stand."""

    def __init__(
        self,
        album: PictureAlbum,
        clock: Clock,
        *,
        reader: DocumentReader | None,
        comparer: FaceComparer | None,
        models: tuple[str, ...],
        encode_failure: Callable[[DomainError], bytes],
    ) -> None:
        """A processing.

        Args:
            album: Has the pictures.
            clock: Knows what day it is.
            reader: Reads documents; None: nobody does here.
            comparer: Compares faces; None: nobody does here.
            models: That looked at the frames.
            encode_failure: Makes the message of a reading that failed.
        """
        self._album = album
        self._clock = clock
        self._reader = reader
        self._comparer = comparer
        self._models = models
        self._encode_failure = encode_failure

    async def process(self, live: LiveSession) -> tuple[Verification | None, Evidence]:
        """Reads and compares; tells the reading as it goes on."""
        session = live.session
        pictures = {one.target: one for one in session.captured}
        front = pictures[Target.DOCUMENT_FRONT]
        fields = await self._read(live, front)
        if not session.plan.verification:
            return None, session.evidence
        compared, detail = await self._compare(live, front, pictures[Target.FACE])
        findings = Findings(
            fields=fields,
            same_person=None if compared is None else compared.same,
            portrait_detail=detail,
            liveness_asked=session.plan.liveness,
            liveness_passed=session.liveness_passed,
            today=self._clock.now().date(),
        )
        models = (*self._models, *(compared.models if compared is not None else ()))
        verification = Verification(
            checks=checks(findings),
            image_sha256s=tuple(one.image.sha256 for one in session.captured),
            models=models,
        )
        evidence = replace(
            session.evidence,
            portrait_similarity=None if compared is None else compared.similarity,
            portrait_threshold=None if compared is None else compared.threshold,
            models=models,
        )
        return verification, evidence

    async def _read(self, live: LiveSession, front: CapturedTarget) -> tuple[FieldFact, ...] | None:
        """What the document says; None where it could not be read."""
        fields: tuple[FieldFact, ...] | None = None
        try:
            if self._reader is None:
                raise DomainError(Reason.NOT_READY, "No service reads documents here.")
            content = await self._album.content(live.record.tenant, (front.crop or front.image).id)
            parts = self._reader.read(content, document_type=live.session.plan.document_type)
            async with aclosing(parts):
                async for part in parts:
                    fields = part.values or fields
                    live.tell(partial(live.session.read, DocumentRead(part.kind, part.encoded)))
        except DomainError as error:
            failed = DocumentRead("extraction_failed", self._encode_failure(error))
            live.tell(partial(live.session.read, failed))
        return fields

    async def _compare(
        self, live: LiveSession, front: CapturedTarget, face: CapturedTarget
    ) -> tuple[Comparison | None, str]:
        """How alike portrait and selfie are, or why that is not known."""
        if self._comparer is None:
            return None, "unavailable"
        tenant = live.record.tenant
        try:
            portrait = await self._album.content(tenant, (front.crop or front.image).id)
            selfie = await self._album.content(tenant, face.image.id)
            compared = await self._comparer.compare(portrait, selfie)
        except DomainError:
            return None, "unavailable"
        return compared, "no_portrait" if compared is None else ""
