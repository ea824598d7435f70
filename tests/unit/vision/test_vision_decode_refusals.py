"""Bad pictures: every kind is refused with its own reason, and nothing else happens (R-EX7)."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.bad_files import (
    CASES,
    LIMITS,
    Case,
    cut,
    encrypted_pdf,
    noise,
    pdf,
    pdf_with_picture,
    png_bomb,
    saved,
)
from vidence_server.core.errors import DomainError, Reason
from vidence_server.vision.decode import ImageDecoder, ImageLimits

pytestmark = pytest.mark.requirement("R-EX7")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_file_is_refused_with_its_reason(case: Case) -> None:
    with pytest.raises(DomainError) as caught:
        ImageDecoder(LIMITS).decode(case.make(), pdf_page=case.page)
    assert caught.value.reason is case.reason
    assert case.metadata.items() <= caught.value.metadata.items()


def test_limits_are_checked_before_memory_is_taken() -> None:
    """A bomb of 3.6 gigapixels costs less than a megabyte."""
    bomb = png_bomb(60_000, 60_000)
    decoder = ImageDecoder(ImageLimits())
    tracemalloc.start()
    try:
        with pytest.raises(DomainError):
            decoder.decode(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_an_encrypted_pdf_without_a_user_password_is_read() -> None:
    assert ImageDecoder(LIMITS).decode(encrypted_pdf(b"")).media_type == "application/pdf"


def test_a_refusal_does_not_colour_the_next_one() -> None:
    decoder = ImageDecoder(LIMITS)
    for content, reason in ((encrypted_pdf(b"secret"), Reason.PDF_ENCRYPTED), (pdf(), Reason.PDF_CORRUPT)):
        with pytest.raises(DomainError) as caught:
            decoder.decode(content)
        assert caught.value.reason is reason


def test_the_decoder_works_on_after_a_refusal() -> None:
    decoder = ImageDecoder(LIMITS)
    for case in CASES:
        with pytest.raises(DomainError):
            decoder.decode(case.make(), pdf_page=case.page)
    assert decoder.decode(saved(noise(), "PNG")).width_px == 120
    assert decoder.decode(pdf((200, 100))).height_px == 278


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PDF"]),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    keep=st.floats(0.05, 1),
)
def test_whatever_happens_to_a_file_gives_pixels_or_a_refusal(
    kind: str, flips: list[tuple[float, int]], keep: float
) -> None:
    content = bytearray(pdf_with_picture(16, 16) if kind == "PDF" else saved(noise(40, 30), kind))
    for place, value in flips:
        content[min(int(place * len(content)), len(content) - 1)] = value
    try:
        pixels = ImageDecoder(LIMITS).decode(cut(bytes(content), keep)).pixels
    except DomainError as error:
        assert error.reason in Reason  # noqa: PT017 both ends are fine; anything else raised fails the test
    else:
        assert pixels.dtype == np.uint8
        assert pixels.size <= LIMITS.max_pixels * 3
