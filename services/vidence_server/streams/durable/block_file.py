"""Which offsets may have been used: a small file beside the database, synced at every change.

It is not in the database because it must survive what the database may lose, the end of its write-ahead log.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Block:
    """A log, and the end of its reserved offsets."""

    number: int
    tenant: str
    name: str
    epoch: int
    reserved: int


class BlockFile:
    """`<database>-reserved`: one line of JSON per log, and a line with their CRC-32."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-reserved")
        self._blocks = {block.number: block for block in self.read(database)}

    @staticmethod
    def read(database: Path) -> list[Block]:
        """The blocks of a database; none, if the file is missing or damaged."""
        path = database.with_name(f"{database.name}-reserved")
        try:
            text, _, checksum = path.read_text().removesuffix("\n").rpartition("\n")
        except (FileNotFoundError, UnicodeDecodeError):
            return []
        if checksum != _checksum(text):
            return []
        return [Block(**json.loads(line)) for line in text.splitlines()]

    def find(self, number: int, epoch: int) -> int:
        """The end of the reserved offsets of this life of a log; 0: unknown."""
        block = self._blocks.get(number)
        return block.reserved if block is not None and block.epoch == epoch else 0

    def set(self, block: Block) -> None:
        """Remembers a block; it is on the disk when this returns.

        Raises:
            OSError: It may or may not be.
        """
        blocks = self._blocks | {block.number: block}
        text = "\n".join(json.dumps(asdict(each)) for each in blocks.values())
        fresh = self._path.with_name(f"{self._path.name}.new")
        with fresh.open("w") as file:
            file.write(f"{text}\n{_checksum(text)}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        sync_folder(self._path.parent)
        self._blocks = blocks


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
