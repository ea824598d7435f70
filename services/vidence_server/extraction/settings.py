"""Settings of the extraction service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from vidence_server.extraction.profiles import ACCURATE, OFFERED
from vidence_server.runtime.settings import Section
from vidence_server.vision.ocr.profile import ReadingProfile


class ExtractionSettings(Section):
    """What is accepted, and how it is looked at."""

    max_image_bytes: int = Field(20 * 1024 * 1024, ge=1, description="Largest image or PDF, in bytes.")
    max_image_pixels: int = Field(
        50_000_000, ge=64, description="Most pixels of an image; checked in its header, before decoding."
    )
    pdf_dpi: int = Field(
        200, ge=36, le=600, description="Resolution at which a PDF page is drawn, in dots per inch."
    )
    detector_area_px: int = Field(
        ReadingProfile().detector_area_px,
        ge=100_000,
        le=4_000_000,
        description="Pixels that the text detector sees at most; more read smaller print, for more time.",
    )
    profiles: tuple[str, ...] = Field(
        OFFERED,
        description="Reading profiles that requests may choose, of `fast`, `balanced`, `balanced-int8` and "
        "`accurate`; their models are loaded at the start.",
    )
    profile: str = Field(
        ACCURATE.name, description="The reading profile of requests that name none; one of `profiles`."
    )
    record_runs: bool = Field(
        default=True,
        description="Whether a record of each reading is kept (type, state, times; no contents) and its end "
        "is told to the bus.",
    )
    record_retention_days: float = Field(
        30, gt=0, description="Age at which the records of readings are removed, days."
    )
    card_catalogues: dict[str, Path] = Field(
        default_factory=dict,
        description="Catalogues of card names for decklists, by the name that requests choose: Scryfall bulk "
        "data, MTGJSON, or one name a line; `.gz` is unpacked. `demo` is built in.",
    )
    card_catalogue: str = Field(
        "demo",
        description="The catalogue that is used where a request names none; a key of `card_catalogues`.",
    )
