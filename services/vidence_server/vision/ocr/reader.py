"""Reading a picture: regions in reading order, then their lines one after the other, as they are read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Sequence
from functools import partial
from typing import Any

from vidence_server.core.deadline import Deadline
from vidence_server.inference.engine import Engine, Priority
from vidence_server.vision.image import Image
from vidence_server.vision.ocr.crop import LineCrop, line_crop
from vidence_server.vision.ocr.detector import DetectorInput, FloatArray, detector_input, text_regions
from vidence_server.vision.ocr.lines import PageLines
from vidence_server.vision.ocr.order import reading_order
from vidence_server.vision.ocr.profile import DetectorSize, ReadingProfile
from vidence_server.vision.ocr.recogniser import LineReading, Vocabulary, decode_line, is_sure
from vidence_server.vision.text import TextLine, TextRegion


class TextReader:
    """Finds and reads text with two models of one engine. Stateless: any number of calls may run at once.

    With batch 1 (the engine's setting) a picture gives the same regions, text and confidences bit for bit,
    whatever else is in flight.
    """

    def __init__(
        self,
        engine: Engine,
        profile: ReadingProfile,
        vocabulary: Vocabulary,
        draft_vocabulary: Vocabulary | None = None,
    ) -> None:
        """A reader of one profile.

        Args:
            engine: has the profile's models.
            profile: every parameter.
            vocabulary: of the recogniser.
            draft_vocabulary: of the profile's draft model; None: lines are read once.
        """
        self._engine = engine
        self._profile = profile
        self._vocabulary = vocabulary
        self._draft_vocabulary = draft_vocabulary

    async def detect(
        self,
        image: Image,
        *,
        size: DetectorSize | None = None,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> tuple[TextRegion, ...]:
        """The places of text, in reading order; none on an empty page. Cancelling stops the work.

        Args:
            image: what is searched.
            size: how large it is looked at, where the profile's own size is not enough.
            priority: of every step.
            deadline: of every step.

        Raises:
            DomainError: as the engine's (QUEUE_FULL, DEADLINE_EXCEEDED, DRAINING, …).
        """
        profile, engine = self._profile.sized(size), self._engine
        seen = await engine.call(
            partial(detector_input, image.pixels, profile),
            step="ocr-detector-input",
            priority=priority,
            deadline=deadline,
        )
        outputs = await engine.run(
            profile.detector_model, {"x": seen.tensor}, priority=priority, deadline=deadline
        )
        return await engine.call(
            partial(_ordered_regions, outputs[0][0, 0], seen, image, profile),
            step="ocr-regions",
            priority=priority,
            deadline=deadline,
        )

    def lines(
        self,
        image: Image,
        regions: Sequence[TextRegion],
        *,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> PageLines:
        """The lines of these regions, to be read in the order that `PageLines.want` says.

        `TextLine.index` is the place in `regions`; the text is empty where nothing is legible. At most
        `lines_ahead_per_worker` lines per worker of the engine are in flight.

        Args:
            image: where the regions were found.
            regions: as `detect` gave them.
            priority: of every step.
            deadline: of every step.
        """

        def read(index: int) -> Coroutine[Any, Any, TextLine]:
            return self._read(image, regions[index], index, priority, deadline)

        return PageLines(read, ahead=self._profile.lines_ahead_per_worker * self._engine.workers)

    async def recognise(
        self,
        image: Image,
        regions: Sequence[TextRegion],
        *,
        priority: Priority = Priority.INTERACTIVE,
        deadline: Deadline | None = None,
    ) -> AsyncGenerator[TextLine, None]:
        """Reads all regions in the order given.

        Iterate inside `contextlib.aclosing`: closing cancels what is in flight and waits until it is gone.

        Raises:
            DomainError: as the engine's; lines that follow are given up.
        """
        async with self.lines(image, regions, priority=priority, deadline=deadline) as lines:
            lines.want(range(len(regions)))
            for index in range(len(regions)):
                yield await lines.line(index)

    async def _read(
        self, image: Image, region: TextRegion, index: int, priority: Priority, deadline: Deadline | None
    ) -> TextLine:
        profile, engine = self._profile, self._engine
        crop = await engine.call(
            partial(line_crop, image.pixels, region.quad, profile),
            step="ocr-crop",
            priority=priority,
            deadline=deadline,
        )
        reading = None
        if self._draft_vocabulary is not None:
            draft = await self._decoded(profile.draft_model, self._draft_vocabulary, crop, priority, deadline)
            reading = draft if is_sure(draft, profile) else None
        if reading is None:
            reading = await self._decoded(
                profile.recogniser_model, self._vocabulary, crop, priority, deadline
            )
        return TextLine(index, reading.text, reading.confidence, region.quad, reading.characters)

    async def _decoded(
        self,
        model: str,
        vocabulary: Vocabulary,
        crop: LineCrop,
        priority: Priority,
        deadline: Deadline | None,
    ) -> LineReading:
        """What one recogniser reads in a crop."""
        outputs = await self._engine.run(model, {"x": crop.tensor}, priority=priority, deadline=deadline)
        # Finding the best of some ten thousand classes per step takes about a millisecond: not on the loop.
        return await self._engine.call(
            partial(decode_line, outputs[0][0], crop.content, vocabulary, self._profile),
            step="ocr-decode",
            priority=priority,
            deadline=deadline,
        )


def _ordered_regions(
    probability: FloatArray, seen: DetectorInput, image: Image, profile: ReadingProfile
) -> tuple[TextRegion, ...]:
    return reading_order(text_regions(probability, seen, image.width_px, image.height_px, profile))
