"""The quick encoder gives what the plain one gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidence_server.streams.cursor import MAX_OFFSET, Cursor
from vidence_server.streams.durable.encoder import EntryEncoder
from vidence_server.streams.entry import encode_entry

pytestmark = pytest.mark.requirement("R-ST1")
ENCODER = EntryEncoder(0x9DE108CC, 17)


@given(body=st.binary(max_size=300), offset=st.integers(0, MAX_OFFSET))
def test_an_entry_is_encoded_as_everywhere_else(body: bytes, offset: int) -> None:
    assert ENCODER.encode(body, offset) == encode_entry(body, str(Cursor(0x9DE108CC, 17, offset)))


def test_sizes_beyond_what_is_remembered_are_encoded_all_the_same() -> None:
    for size in [*range(1500), 127, 128, 16_383, 16_384, 64_000]:
        body = b"\n" * size
        assert ENCODER.encode(body, size) == encode_entry(body, str(Cursor(0x9DE108CC, 17, size)))
    assert len(ENCODER._frames) <= 1024
