"""What of a subject is in a library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select

from vidence_server.library.tables import DOCUMENTS, EXPORTS, FACES, FIELDS, FORMER
from vidence_server.storage.database import Transaction

SUBJECT_KEY = "subject_id"
"""The field of a document's metadata that says whose it is."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is there of a subject."""

    documents: tuple[str, ...]
    """Their ids."""
    faces: int
    """Templates."""
    versions: int
    """Former versions of documents, which exports hold."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing."""
        return not (self.documents or self.faces or self.versions)

    def plus(self, more: Holdings) -> Holdings:
        """Both together."""
        return Holdings(
            self.documents + more.documents, self.faces + more.faces, self.versions + more.versions
        )


async def holdings(transaction: Transaction, library_no: int, subject_id: str) -> Holdings:
    """What a library has of a subject."""
    own = (
        select(DOCUMENTS.c.document_id)
        .join(
            FIELDS,
            (FIELDS.c.library_no == DOCUMENTS.c.library_no) & (FIELDS.c.document_no == DOCUMENTS.c.no),
        )
        .where(
            FIELDS.c.library_no == library_no,
            FIELDS.c.key == SUBJECT_KEY,
            FIELDS.c.text_value == subject_id,
        )
        .order_by(DOCUMENTS.c.document_id)
    )
    documents = tuple((await transaction.execute(own)).scalars())
    faces = select(func.count()).where(FACES.c.library_no == library_no, FACES.c.subject_id == subject_id)
    former = select(func.count()).select_from(FORMER).where(_former_of(library_no, subject_id, own))
    return Holdings(
        documents,
        int((await transaction.execute(faces)).scalar_one()),
        int((await transaction.execute(former)).scalar_one()),
    )


async def release_exports(transaction: Transaction, library_no: int) -> None:
    """Ends the exports of a library that are open, with the former versions that they hold."""
    await transaction.execute(delete(EXPORTS).where(EXPORTS.c.library_no == library_no))
    await transaction.execute(delete(FORMER).where(FORMER.c.library_no == library_no))


def _former_of(library_no: int, subject_id: str, own: Select[Any]) -> ColumnElement[bool]:
    # Metadata is canonical JSON: the pair looks the same wherever it stands.
    pair = f"{json.dumps(SUBJECT_KEY)}:{json.dumps(subject_id, ensure_ascii=False)}"
    return (FORMER.c.library_no == library_no) & or_(
        FORMER.c.metadata.contains(pair, autoescape=True),
        FORMER.c.document_id.in_(own),
    )
