"""What is taken for the image of a batch, and how it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidence.batch.v1 import batch_pb2
from vidence_client.contents import bytes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """An image of a batch.

    Attributes:
        content: The file's bytes, or where it lies.
        file_name: Its name, for people; empty: that of the path.
        document_type: Key of the type; empty: that of the batch.
        pdf_page: Page of a PDF, from 1; 0: the first.
        subject_id: Whose it is, so that `Client.erasure.purge` finds it; empty: it is not found.
    """

    content: bytes | Path
    file_name: str = ""
    document_type: str = ""
    pdf_page: int = 0
    subject_id: str = ""


FileLike = BatchFile | Path | bytes
"""What is taken for an image: a file with all there is to say of it, a path, or bytes."""


async def each_of(files: Iterable[FileLike] | AsyncIterable[FileLike]) -> AsyncIterator[FileLike]:
    """The files one after another."""
    if isinstance(files, AsyncIterable):
        async for each in files:
            yield each
    else:
        for each in files:
            yield each


def _file(file: FileLike) -> BatchFile:
    return file if isinstance(file, BatchFile) else BatchFile(content=file)


async def image_of(file: FileLike) -> batch_pb2.BatchImage:
    """The message of a file; raises `OSError` where it cannot be read."""
    return (await images_of([file]))[0]


async def images_of(files: Sequence[FileLike]) -> list[batch_pb2.BatchImage]:
    """The messages of files; raises `OSError` where one cannot be read."""
    known = list(map(_file, files))
    contents = await bytes_of(*(file.content for file in known))
    return [
        batch_pb2.BatchImage(
            content=content,
            file_name=file.file_name or (file.content.name if isinstance(file.content, Path) else ""),
            document_type=file.document_type,
            pdf_page=file.pdf_page,
            subject_id=file.subject_id,
        )
        for file, content in zip(known, contents, strict=True)
    ]
