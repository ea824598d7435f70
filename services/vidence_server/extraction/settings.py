"""Settings of the extraction service."""

from __future__ import annotations

from pydantic import Field

from vidence_server.runtime.settings import Section


class ExtractionSettings(Section):
    """What is accepted, and how it is looked at."""

    max_image_bytes: int = Field(20 * 1024 * 1024, ge=1, description="Largest image or PDF, in bytes.")
    max_image_pixels: int = Field(
        50_000_000, ge=64, description="Most pixels of an image; checked in its header, before decoding."
    )
    pdf_dpi: int = Field(
        200, ge=36, le=600, description="Resolution at which a PDF page is drawn, in dots per inch."
    )
    detector_long_side_px: int = Field(
        960,
        ge=320,
        le=4096,
        description="Longer side that the text detector sees, in px; larger reads smaller print.",
    )
