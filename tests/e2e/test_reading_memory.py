"""Memory levels off: mixed pictures, wrong files among them, leave nothing behind."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

import pytest

from e2e.reading_memory import held_bytes

PICTURES = 500
EVERY = 50
ALLOWED_PER_PICTURE_BYTES = 20 << 10
"""Of a picture that stayed the pixels alone are 200 kB: one in ten is seen."""
ALLOWED_LATER_BYTES = 24 << 20
ALLOWED_AT_ALL_BYTES = 64 << 20


@pytest.mark.requirement("R-OP7", "R-EX7")
@pytest.mark.timeout(900)
async def test_five_hundred_mixed_pictures_leave_memory_flat() -> None:
    held = await held_bytes(PICTURES, every=EVERY, timeout_s=800)
    growth = [after - before for before, after in pairwise(held)]
    # What is lost is lost every time. When two large pictures first meet, the allocators take more once.
    assert median(growth) <= ALLOWED_PER_PICTURE_BYTES * EVERY, held
    half = len(held) // 2
    assert max(held[half:]) - max(held[:half]) <= ALLOWED_LATER_BYTES, held
    assert max(held) - held[0] <= ALLOWED_AT_ALL_BYTES, held
