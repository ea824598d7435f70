"""Encrypts what is kept, and gives it back as it was, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from shutil import copyfileobj
from typing import BinaryIO

import structlog

from vidence_server.core.errors import DomainError, Reason
from vidence_server.encryption import refusals
from vidence_server.encryption.data_keys import DataKeys
from vidence_server.encryption.envelope import (
    MAGIC,
    SALT_BYTES,
    Header,
    key_prefix,
    read_chunks,
    read_header,
    read_key_id,
    write_chunks,
)
from vidence_server.encryption.ports import DATA_KEY_BYTES, WrappedKey
from vidence_server.storage.blob_format import CHUNK_BYTES, BlobLabel


@dataclass(frozen=True, slots=True)
class SealingStatistics:
    """What was encrypted and read since the start."""

    sealed: int = 0
    """Contents that were encrypted."""
    opened: int = 0
    """Encrypted contents that were read."""
    opened_plain: int = 0
    """Contents that were read and not encrypted: of before, see `vidence encryption rotate`."""
    refused: int = 0
    """Contents that were changed, cut off or exchanged, and not given out."""
    key_failures: int = 0
    """Times that a key was not there."""


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A data key to encrypt with."""

    data_key: bytes
    wrapped: WrappedKey

    def __repr__(self) -> str:
        return f"FreshKey({self.wrapped.key_id})"


class Sealing:
    """Encryption at rest of a process; fits `storage.blob_format.BlobFormat`.

    Its calls block, and come from any thread.

    Switched off it writes plain contents, and refuses encrypted ones. Switched on it reads plain ones of
    before, unless it is told not to.
    """

    def __init__(self, keys: DataKeys | None = None, *, accept_plain: bool = True) -> None:
        """Sealing.

        Args:
            keys: Where data keys come from; None: switched off.
            accept_plain: Whether what is not encrypted is given out.
        """
        self._keys = keys
        self._accept_plain = accept_plain or keys is None
        self._numbers = SealingStatistics()
        self._counting = threading.Lock()
        self._log = structlog.get_logger(__name__)

    @property
    def on(self) -> bool:
        """Whether it encrypts."""
        return self._keys is not None

    def statistics(self) -> SealingStatistics:
        """The numbers as they are now."""
        return self._numbers

    def write(self, file: BinaryIO, data: bytes, label: BlobLabel) -> None:
        """Writes a content; see `BlobFormat`. Raises `DomainError`, KEY_UNAVAILABLE."""
        key = self.fresh(label.tenant)
        if key is None:
            file.write(data)
        else:
            self._seal(file, data, label, key)

    def pieces(self, file: BinaryIO, label: BlobLabel) -> Iterator[bytes]:
        """The content of a file; see `BlobFormat`.

        Raises:
            DomainError: CIPHERTEXT_INVALID, KEY_UNKNOWN, KEY_UNAVAILABLE.
        """
        try:
            if begins_sealed(file):
                header = read_header(file)
                yield from read_chunks(file, header, self._key_of(header), label)
                self._count("opened")
            elif not self._accept_plain:
                raise refusals.plain()
            else:
                while piece := file.read(CHUNK_BYTES):
                    yield piece
                self._count("opened_plain" if self.on else None)
        except DomainError as error:
            self._refused(error, label)
            raise

    def fresh(self, tenant: str) -> FreshKey | None:
        """A key for what is encrypted next; None: switched off. Raises `DomainError`, KEY_UNAVAILABLE."""
        if self._keys is None:
            return None
        try:
            return FreshKey(*self._keys.fresh(tenant))
        except DomainError:
            self._count("key_failures")
            raise

    def seal(self, data: bytes, label: BlobLabel, key: FreshKey | None) -> bytes:
        """A small content as it is kept; asks nobody for anything."""
        if key is None:
            return data
        file = BytesIO()
        self._seal(file, data, label, key)
        return file.getvalue()

    def open(self, kept: bytes, label: BlobLabel) -> bytes:
        """The inverse of `seal`; raises `DomainError` as `pieces`."""
        return b"".join(self.pieces(BytesIO(kept), label))

    def current_key_id(self) -> str:
        """Of the key that wraps now. Raises `DomainError`, KEY_UNAVAILABLE.

        Also proves that the key unwraps what it wrapped: CIPHERTEXT_INVALID, KEY_UNKNOWN where it does not.
        """
        keys = self._switched_on()
        probe = keys.random(DATA_KEY_BYTES)
        wrapped = keys.wrap(probe)
        if keys.of(wrapped) != probe:
            raise refusals.unavailable("it does not unwrap what it wrapped")
        return wrapped.key_id

    def reseal(self, source: BinaryIO, target: BinaryIO, label: BlobLabel) -> None:
        """Writes what `source` has to `target` under the current key.

        An encrypted content keeps its chunks and gets another wrapped key; a plain one is encrypted.

        Raises:
            DomainError: CIPHERTEXT_INVALID, KEY_UNKNOWN, KEY_UNAVAILABLE.
        """
        keys = self._switched_on()
        if not begins_sealed(source):
            self.write(target, source.read(), label)
            return
        header = read_header(source)
        target.write(replace(header, key=keys.rewrap(header.key)).encode())
        copyfileobj(source, target, CHUNK_BYTES)

    def resealed(self, kept: bytes, label: BlobLabel) -> bytes:
        """`reseal` of a small content."""
        target = BytesIO()
        self.reseal(BytesIO(kept), target, label)
        return target.getvalue()

    def key_id_of(self, kept: bytes) -> str:
        """Of the key that a content is under, by its first bytes; empty: it is plain.

        Raises:
            DomainError: CIPHERTEXT_INVALID.
        """
        file = BytesIO(kept)
        return read_key_id(file) if begins_sealed(file) else ""

    def _seal(self, file: BinaryIO, data: bytes, label: BlobLabel, key: FreshKey) -> None:
        header = Header(key.wrapped, self._switched_on().random(SALT_BYTES), len(data))
        file.write(header.encode())
        write_chunks(file, data, header, key.data_key, label)
        self._count("sealed")

    def _key_of(self, header: Header) -> bytes:
        if self._keys is None:
            raise refusals.switched_off()
        return self._keys.of(header.key)

    def _switched_on(self) -> DataKeys:
        if self._keys is None:
            raise RuntimeError("encryption is switched off")
        return self._keys

    def _refused(self, error: DomainError, label: BlobLabel) -> None:
        tampered = error.reason is Reason.CIPHERTEXT_INVALID
        self._count("refused" if tampered else "key_failures")
        self._log.error("kept data not given out", reason=error.reason, kind=label.kind, id=label.id)

    def _count(self, name: str | None) -> None:
        if name is None:
            return
        with self._counting:
            self._numbers = replace(self._numbers, **{name: getattr(self._numbers, name) + 1})


def begins_sealed(file: BinaryIO) -> bool:
    """Whether a content is encrypted; leaves the file behind the magic, a plain one at its beginning."""
    if file.read(len(MAGIC)) == MAGIC:
        return True
    file.seek(0)
    return False


def is_under(kept: bytes, key_id: str) -> bool:
    """Whether a content, or its first bytes, names a key as the one that wrapped its data key."""
    return kept.startswith(key_prefix(key_id))
