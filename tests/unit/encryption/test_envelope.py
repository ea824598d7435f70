"""What is kept encrypted: it comes back as it was, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.key_service import key_file, random_key, sealing_with
from vidence_server.core.errors import DomainError, Reason
from vidence_server.encryption.envelope import MAGIC
from vidence_server.encryption.sealing import Sealing
from vidence_server.storage.blob_format import CHUNK_BYTES, BlobLabel

pytestmark = pytest.mark.requirement("R-OP5")
LABEL = BlobLabel("acme", "capture-images", "blb_1", "anna")
NEAR_LIMITS = [CHUNK_BYTES * chunks + more for chunks in range(4) for more in (-17, -16, -1, 0, 1, 16)]
SIZES = st.sampled_from([size for size in NEAR_LIMITS if size >= 0]) | st.integers(0, 3 * CHUNK_BYTES)


@pytest.fixture(scope="module")
def sealing(tmp_path_factory: pytest.TempPathFactory) -> Sealing:
    return sealing_with(key_file(tmp_path_factory.mktemp("keys") / "keys.json"))


def sealed(sealing: Sealing, data: bytes, label: BlobLabel = LABEL) -> bytes:
    file = BytesIO()
    sealing.write(file, data, label)
    return file.getvalue()


def refusal(sealing: Sealing, kept: bytes, label: BlobLabel = LABEL) -> Reason:
    with pytest.raises(DomainError) as caught:
        sealing.open(kept, label)
    return caught.value.reason


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(size=SIZES, seed=st.binary(min_size=1, max_size=8))
def test_contents_of_any_size_come_back_in_pieces(sealing: Sealing, size: int, seed: bytes) -> None:
    data = (seed * (size // len(seed) + 1))[:size]
    kept = sealed(sealing, data)
    pieces = list(sealing.pieces(BytesIO(kept), LABEL))
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= CHUNK_BYTES for piece in pieces)
    assert size < 32 or data[:32] not in kept


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    size=st.sampled_from([0, 1, 100, CHUNK_BYTES, CHUNK_BYTES + 1]),
    where=st.floats(0, 1),
    bit=st.integers(0, 7),
)
def test_no_flipped_bit_goes_unnoticed(sealing: Sealing, size: int, where: float, bit: int) -> None:
    kept = bytearray(sealed(sealing, b"x" * size))
    place = min(len(kept) - 1, int(len(kept) * where))
    kept[place] ^= 1 << bit
    if place < len(MAGIC):  # then it is as plain as what was there before encryption
        strict = Sealing(sealing._keys, accept_plain=False)
        assert refusal(strict, bytes(kept)) is Reason.CIPHERTEXT_INVALID
        return
    assert refusal(sealing, bytes(kept)) in {Reason.CIPHERTEXT_INVALID, Reason.KEY_UNKNOWN}


def test_each_byte_of_a_header_is_proved(sealing: Sealing) -> None:
    kept = sealed(sealing, b"content")
    for place in range(len(MAGIC), len(kept)):
        changed = kept[:place] + bytes([kept[place] ^ 0x55]) + kept[place + 1 :]
        assert refusal(sealing, changed) in {Reason.CIPHERTEXT_INVALID, Reason.KEY_UNKNOWN}


def _two_chunks_exchanged(kept: bytes) -> bytes:
    chunk = CHUNK_BYTES + 16
    head = len(kept) - 3 * chunk
    first, second = kept[head : head + chunk], kept[head + chunk : head + 2 * chunk]
    return kept[:head] + second + first + kept[head + 2 * chunk :]


def _last_chunk_cut_and_size_changed(kept: bytes) -> bytes:
    chunk = CHUNK_BYTES + 16
    head = len(kept) - 3 * chunk
    return kept[: head - 8] + (2 * CHUNK_BYTES).to_bytes(8, "big") + kept[head : head + 2 * chunk]


@pytest.mark.parametrize(
    "change",
    [
        _two_chunks_exchanged,
        _last_chunk_cut_and_size_changed,
        lambda kept: kept[:-1],
        lambda kept: kept[: -(CHUNK_BYTES + 16)],
        lambda kept: kept + b"\0",
        lambda kept: kept[: len(MAGIC)],
        lambda kept: kept[: len(MAGIC) + 20],
    ],
)
def test_chunks_cannot_be_moved_cut_off_or_added(sealing: Sealing, change: Callable[[bytes], bytes]) -> None:
    kept = sealed(sealing, os.urandom(3 * CHUNK_BYTES))
    assert refusal(sealing, change(kept)) is Reason.CIPHERTEXT_INVALID


def test_a_file_that_was_cut_off_is_found_before_the_first_piece(sealing: Sealing) -> None:
    kept = sealed(sealing, os.urandom(3 * CHUNK_BYTES))
    with pytest.raises(DomainError):
        next(sealing.pieces(BytesIO(kept[:-100]), LABEL))


@pytest.mark.parametrize("part", ["tenant", "kind", "id", "owner"])
def test_a_content_is_that_of_its_label_only(sealing: Sealing, part: str) -> None:
    kept = sealed(sealing, b"content")
    assert refusal(sealing, kept, replace(LABEL, **{part: "other"})) is Reason.CIPHERTEXT_INVALID
    moved = BlobLabel("acm", "ecapture-images", "blb_1", "anna")  # the same letters, another border
    assert refusal(sealing, kept, moved) is Reason.CIPHERTEXT_INVALID


def test_nothing_is_encrypted_twice_in_the_same_way(sealing: Sealing) -> None:
    first, second = sealed(sealing, b"content"), sealed(sealing, b"content")
    assert first[-23:] != second[-23:]
    assert len({first[80:], second[80:]}) == 2


def test_the_numbers_tell_what_was_refused_and_what_was_plain(tmp_path: Path) -> None:
    path = key_file(tmp_path / "keys.json")
    own = sealing_with(path)
    kept = sealed(own, b"content")
    assert own.open(kept, LABEL) == b"content"
    assert own.open(b"old picture", LABEL) == b"old picture"
    assert refusal(own, kept[:-1] + b"\0\0") is Reason.CIPHERTEXT_INVALID
    key_file(path, random_key())
    assert refusal(own, kept) is Reason.KEY_UNKNOWN
    numbers = own.statistics()
    assert (numbers.sealed, numbers.opened, numbers.opened_plain) == (1, 1, 1)
    assert (numbers.refused, numbers.key_failures) == (1, 1)


def test_switched_off_nothing_is_encrypted_and_what_is_encrypted_is_not_given_out(sealing: Sealing) -> None:
    off = Sealing()
    assert sealed(off, b"content") == b"content"
    assert off.seal(b"content", LABEL, off.fresh("acme")) == b"content"
    assert off.open(b"content", LABEL) == b"content"
    assert refusal(off, sealed(sealing, b"content")) is Reason.KEY_UNKNOWN


def test_what_somebody_put_there_plain_is_refused_where_all_is_encrypted(tmp_path: Path) -> None:
    strict = sealing_with(key_file(tmp_path / "keys.json"), accept_plain=False)
    assert refusal(strict, b"a picture") is Reason.CIPHERTEXT_INVALID
    assert strict.open(sealed(strict, b"content"), LABEL) == b"content"


def test_a_content_goes_to_another_key_and_keeps_its_chunks(tmp_path: Path) -> None:
    old, new = random_key(), random_key()
    path = key_file(tmp_path / "keys.json", old)
    own = sealing_with(path)
    kept = sealed(own, b"x" * (CHUNK_BYTES + 5))
    key_file(path, old, new)
    moved = own.resealed(kept, LABEL)
    assert (own.key_id_of(kept), own.key_id_of(moved)) == (old.key_id, new.key_id)
    assert moved[-CHUNK_BYTES:] == kept[-CHUNK_BYTES:]
    key_file(path, new)
    assert own.open(moved, LABEL) == b"x" * (CHUNK_BYTES + 5)
    assert refusal(own, kept) is Reason.KEY_UNKNOWN
    assert own.key_id_of(own.resealed(b"plain", LABEL)) == new.key_id
