"""Rows of face templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import Row, delete, func, select, text

from vidence_server.library.domain.faces import Face, FaceModel
from vidence_server.library.tables import FACES
from vidence_server.storage.database import Transaction

_OWN = ("face_id", "subject_id", "model_name", "model_version", "create_time")


class KeptTemplate(NamedTuple):
    """A template as it is kept, and whose."""

    no: int
    face_id: str
    subject_id: str
    kept: bytes


async def overwrite_what_is_deleted(transaction: Transaction) -> None:
    """Lets SQLite write zeros over what this connection deletes, from now on."""
    if transaction.dialect == "sqlite":
        await transaction.execute(text("PRAGMA secure_delete=ON"))


async def find(transaction: Transaction, library_no: int, face_id: str) -> tuple[Face, bytes] | None:
    """A face and its template as it is kept."""
    row = (
        await transaction.execute(
            select(*(FACES.c[name] for name in _OWN), FACES.c.template).where(
                FACES.c.library_no == library_no, FACES.c.face_id == face_id
            )
        )
    ).one_or_none()
    return None if row is None else (_face(row), row.template)


async def insert(transaction: Transaction, library_no: int, no: int, face: Face, template: bytes) -> None:
    """Keeps a template, in the form in which it is to be kept."""
    await transaction.execute(
        sqlalchemy.insert(FACES).values(
            library_no=library_no,
            no=no,
            face_id=face.face_id,
            subject_id=face.subject_id,
            model_name=face.model.name,
            model_version=face.model.version,
            template=template,
            create_time=face.create_time,
        )
    )


async def page(
    transaction: Transaction, library_no: int, *, subject_id: str, after_id: str, limit: int
) -> list[Face]:
    """The first faces after an id, by id; of one subject, or of all where it is empty."""
    wanted = (
        select(*(FACES.c[name] for name in _OWN))
        .where(FACES.c.library_no == library_no, FACES.c.face_id > after_id)
        .order_by(FACES.c.face_id)
        .limit(limit)
    )
    if subject_id:
        wanted = wanted.where(FACES.c.subject_id == subject_id)
    return [_face(row) for row in await transaction.execute(wanted)]


async def templates(
    transaction: Transaction, library_no: int, model: FaceModel, *, after_no: int, limit: int
) -> list[KeptTemplate]:
    """Those of one model after a row number, by number."""
    wanted = (
        select(FACES.c.no, FACES.c.face_id, FACES.c.subject_id, FACES.c.template)
        .where(
            FACES.c.library_no == library_no,
            FACES.c.model_name == model.name,
            FACES.c.model_version == model.version,
            FACES.c.no > after_no,
        )
        .order_by(FACES.c.no)
        .limit(limit)
    )
    return [KeptTemplate(*row) for row in await transaction.execute(wanted)]


async def owners(transaction: Transaction, library_no: int, nos: Sequence[int]) -> dict[int, tuple[str, str]]:
    """(subject, face) by row number; at most 500 of them."""
    wanted = select(FACES.c.no, FACES.c.subject_id, FACES.c.face_id).where(
        FACES.c.library_no == library_no, FACES.c.no.in_(nos)
    )
    return {row[0]: (row[1], row[2]) for row in await transaction.execute(wanted)}


async def counts(transaction: Transaction, library_no: int) -> dict[FaceModel, int]:
    """Templates by model."""
    wanted = (
        select(FACES.c.model_name, FACES.c.model_version, func.count())
        .where(FACES.c.library_no == library_no)
        .group_by(FACES.c.model_name, FACES.c.model_version)
    )
    return {FaceModel(row[0], row[1]): row[2] for row in await transaction.execute(wanted)}


async def numbers_of(transaction: Transaction, library_no: int, subject_id: str) -> list[int]:
    """The row numbers of a subject's templates."""
    wanted = select(FACES.c.no).where(FACES.c.library_no == library_no, FACES.c.subject_id == subject_id)
    return list((await transaction.execute(wanted)).scalars())


async def remove(transaction: Transaction, library_no: int, subject_id: str) -> None:
    """Removes a subject's templates."""
    await transaction.execute(
        delete(FACES).where(FACES.c.library_no == library_no, FACES.c.subject_id == subject_id)
    )


def _face(row: Row[Any]) -> Face:
    model = FaceModel(row.model_name, row.model_version)
    return Face(row.face_id, row.subject_id, model, row.create_time)
