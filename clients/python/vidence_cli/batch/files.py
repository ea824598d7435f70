"""Which files a batch is made of, and by which name it is known again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".pdf"})
"""Of a folder, the files with these endings are taken; a file that is named is taken whatever its ending."""


def find_files(paths: Iterable[Path], *, recursive: bool = False) -> list[Path]:
    """The files of some paths, in the order of the paths, those of a folder by name; each once."""
    found: dict[Path, None] = {}
    for path in paths:
        found.update(dict.fromkeys(_of_folder(path, recursive) if path.is_dir() else [path]))
    return list(found)


def key_of(files: Sequence[Path], document_type: str, library_id: str = "") -> str:
    """A name for reading these files as they are now: the same files give the same batch.

    Raises:
        OSError: A file is gone.
    """
    digest = hashlib.sha256(f"{document_type}\0{library_id}".encode())
    for file in files:
        status = file.stat()
        digest.update(f"\0{file.resolve()}\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return f"files-{digest.hexdigest()[:40]}"


def _of_folder(folder: Path, recursive: bool) -> Iterator[Path]:
    entries = folder.rglob("*") if recursive else folder.iterdir()
    return (path for path in sorted(entries) if path.suffix.lower() in SUFFIXES and path.is_file())
