"""How text is looked for and read: every number of the pipeline, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class DetectorSize:
    """How large the detector sees a picture; replaces a profile's own numbers for one kind of picture."""

    area_px: int
    """Width × height, as `ReadingProfile.detector_area_px`."""
    long_side_px: int
    """The longer side at most, as `ReadingProfile.detector_long_side_px`."""


@dataclass(frozen=True, slots=True)
class ReadingProfile:
    """Parameters of detection and recognition; the defaults are those that measured best on a CPU."""

    name: str = "accurate"
    """What requests and provenance records call it."""
    draft_model: str = ""
    """Name of a quicker recogniser that reads each line first; empty: none does."""
    draft_confidence: float = 0.7
    """Confidence, 0–1, that every character of a draft needs, or the recogniser reads the line again."""
    detector_model: str = "ocr-detector"
    """Name of the detector in the model registry."""
    recogniser_model: str = "ocr-recogniser"
    """Name of the recogniser in the model registry."""

    detector_area_px: int = 550_000
    """Width × height that the detector sees. An area, so that a long receipt keeps its letters."""
    detector_long_side_px: int = 1600
    """The longer side that the detector sees, at most."""
    detector_enlarge_up_to: float = 2.0
    """Smaller pictures are enlarged towards `detector_area_px`, by at most this factor; 1 = never."""
    detector_multiple_px: int = 32
    """Both sides that the detector sees are multiples of this (its total stride)."""
    pixel_threshold: float = 0.3
    """Text probability, 0–1, from which a pixel counts as text."""
    region_threshold: float = 0.5
    """Mean text probability, 0–1, that a region needs."""
    unclip_ratio: float = 2.0
    """Growth of a region: every side moves out by ratio × area / perimeter (Liao et al. 2020, DB)."""
    min_region_side_px: float = 3.0
    """Shorter side, in px of what the detector sees and before growth, that a region needs."""
    max_regions: int = 1000
    """At most this many regions a picture; the largest are kept."""
    vertical_from: float = 1.5
    """A region is vertical writing, read from top to bottom, from this ratio height / width on."""

    line_height_px: int = 48
    """Height that the recogniser sees; fixed by the model."""
    width_multiple_px: int = 8
    """Widths are rounded up to a multiple of this. A GPU wants few shapes (64 and more), a CPU tight ones."""
    min_line_width_px: int = 48
    """Narrowest crop that the recogniser sees; narrower ones are padded on the right."""
    max_line_width_px: int = 3200
    """Widest crop that the recogniser sees; longer lines are squeezed to it."""
    alternatives: int = 3
    """Other readings kept per character, at most."""
    alternative_floor: float = 1e-4
    """Probability, 0–1, from which another reading of a character is kept."""

    lines_ahead_per_worker: int = 2
    """Lines of one picture in flight per worker of the engine: 1 lets workers idle behind a long line."""

    def sized(self, size: DetectorSize | None) -> ReadingProfile:
        """This profile, seeing at least as much as `size` says; itself where that is None."""
        if size is None:
            return self
        return replace(
            self,
            detector_area_px=max(self.detector_area_px, size.area_px),
            detector_long_side_px=max(self.detector_long_side_px, size.long_side_px),
        )
