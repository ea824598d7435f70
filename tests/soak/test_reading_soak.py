"""Ten thousand pictures through one reader."""

from __future__ import annotations

import pytest

from e2e.reading_memory import held_bytes

pytestmark = pytest.mark.soak
PICTURES = 10_000
ALLOWED_GROWTH_BYTES = 64 << 20


@pytest.mark.requirement("R-OP7", "R-EX7")
async def test_ten_thousand_mixed_pictures_leave_memory_flat() -> None:
    held = await held_bytes(PICTURES, every=500, timeout_s=6000)
    assert max(held[1:]) - held[0] <= ALLOWED_GROWTH_BYTES
