"""The format of what is kept encrypted: a header with the wrapped key, then chunks.

    magic       16   89 "VIDENCE-SEAL" 0D 0A 1A
    version      1   1
    key id       2 + n   length, ASCII: which key wrapped the data key
    wrapped      2 + n   length, the wrapped data key
    salt        32   random, of this content alone
    size         8   bytes of the content
    chunks           each AES-256-GCM of 256 KiB of the content, the last of what is left (maybe nothing), and
                     its tag of 16 bytes

Numbers are big-endian. The content key is HKDF-SHA256(data key, salt): no two contents share one, however
often a data key is used. So the nonce of a chunk may be its number (11 bytes) and a byte that is 1 for the
last one (STREAM): chunks cannot be moved, left out or cut off. The associated data of every chunk are the
version, the size, and the tenant, kind, id and owner of the label: content under another name does not open.
The wrapped key is not among them: rotation writes another one and leaves the chunks as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vidence_server.encryption import refusals
from vidence_server.encryption.ports import MOST_KEY_ID_BYTES, MOST_WRAPPED_BYTES, WrappedKey
from vidence_server.storage.blob_format import CHUNK_BYTES, BlobLabel

MAGIC = b"\x89VIDENCE-SEAL\r\n\x1a"
"""Begins no image; as the first number of a template it would be 805, and those are 1 at most."""
SALT_BYTES = 32
_VERSION = b"\x01"
_TAG_BYTES = 16
_LENGTH = struct.Struct(">H")
_SIZE = struct.Struct(">Q")
_PURPOSE = b"vidence at rest 1: content key"


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the chunks."""

    key: WrappedKey
    salt: bytes
    size: int
    """Bytes of the content."""

    def encode(self) -> bytes:
        """As it is written."""
        key_id = self.key.key_id.encode("ascii")
        parts = (
            key_prefix(self.key.key_id),
            _LENGTH.pack(len(self.key.wrapped)),
            self.key.wrapped,
            self.salt,
            _SIZE.pack(self.size),
        )
        if len(key_id) > MOST_KEY_ID_BYTES or len(self.key.wrapped) > MOST_WRAPPED_BYTES:
            raise ValueError("a provider keeps to the limits of `ports`")
        return b"".join(parts)


def key_prefix(key_id: str) -> bytes:
    """How everything begins whose data key was wrapped by a key."""
    encoded = key_id.encode("ascii")
    return MAGIC + _VERSION + _LENGTH.pack(len(encoded)) + encoded


def read_key_id(file: BinaryIO) -> str:
    """The id of the key, which follows the magic; raises `DomainError`, CIPHERTEXT_INVALID."""
    if _exactly(file, 1) != _VERSION:
        raise refusals.tampered()
    key_id = _exactly(file, _length(file, MOST_KEY_ID_BYTES))
    if not key_id.isascii():
        raise refusals.tampered()
    return key_id.decode("ascii")


def read_header(file: BinaryIO) -> Header:
    """What follows the magic; leaves the file at the first chunk.

    Raises:
        DomainError: CIPHERTEXT_INVALID: no such header, or the file has another length than it tells.
    """
    key_id = read_key_id(file)
    wrapped = _exactly(file, _length(file, MOST_WRAPPED_BYTES))
    salt, size = _exactly(file, SALT_BYTES), _SIZE.unpack(_exactly(file, _SIZE.size))[0]
    here = file.tell()
    if file.seek(0, 2) - here != size + _TAG_BYTES * _chunks_of(size):
        raise refusals.tampered()
    file.seek(here)
    return Header(WrappedKey(key_id, wrapped), salt, size)


def write_chunks(file: BinaryIO, data: bytes, header: Header, data_key: bytes, label: BlobLabel) -> None:
    """Encrypts a content behind its header."""
    cipher, associated, view = _cipher(header, data_key), _associated(header, label), memoryview(data)
    last = _chunks_of(header.size) - 1
    for number in range(last + 1):
        chunk = view[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
        file.write(cipher.encrypt(_nonce(number, last), chunk, associated))


def read_chunks(file: BinaryIO, header: Header, data_key: bytes, label: BlobLabel) -> Iterator[bytes]:
    """The content in pieces of 256 KiB, each proved before it is given; an empty content has none.

    Raises:
        DomainError: CIPHERTEXT_INVALID.
    """
    cipher, associated = _cipher(header, data_key), _associated(header, label)
    last = _chunks_of(header.size) - 1
    for number in range(last + 1):
        try:
            chunk = cipher.decrypt(_nonce(number, last), file.read(CHUNK_BYTES + _TAG_BYTES), associated)
        except (InvalidTag, ValueError):
            raise refusals.tampered() from None
        if chunk:
            yield chunk


def _cipher(header: Header, data_key: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, header.salt, _PURPOSE).derive(data_key))


def _associated(header: Header, label: BlobLabel) -> bytes:
    names = [name.encode() for name in (label.tenant, label.kind, label.id, label.owner)]
    return b"".join([_VERSION, _SIZE.pack(header.size), *(_LENGTH.pack(len(name)) + name for name in names)])


def _nonce(number: int, last: int) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if number == last else b"\x00")


def _chunks_of(size: int) -> int:
    return max(1, -(-size // CHUNK_BYTES))


def _length(file: BinaryIO, most: int) -> int:
    length: int = _LENGTH.unpack(_exactly(file, _LENGTH.size))[0]
    if not 0 < length <= most:
        raise refusals.tampered()
    return length


def _exactly(file: BinaryIO, count: int) -> bytes:
    found = file.read(count)
    if len(found) != count:
        raise refusals.tampered()
    return found
