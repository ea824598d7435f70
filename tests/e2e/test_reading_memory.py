"""Memory levels off: mixed pictures, wrong files among them, leave nothing behind."""

from __future__ import annotations

import pytest

from e2e.reading_memory import held_bytes

PICTURES = 500
ALLOWED_GROWTH_BYTES = 24 << 20
"""A quarter of what 500 pictures that stayed would be: some 100 MiB of pixels alone."""


@pytest.mark.requirement("R-OP7", "R-EX7")
@pytest.mark.timeout(900)
async def test_five_hundred_mixed_pictures_leave_memory_flat() -> None:
    held = await held_bytes(PICTURES, every=100, timeout_s=800)
    assert max(held[1:]) - held[0] <= ALLOWED_GROWTH_BYTES
