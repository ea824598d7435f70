"""Items and jobs by the person whose image they have."""

from __future__ import annotations

from sqlalchemy import select

from vidence_server.batch.domain.batch import Item
from vidence_server.batch.store.item_rows import ITEMS
from vidence_server.batch.store.item_table import select_one
from vidence_server.storage.database import Transaction


async def select_of_subject(transaction: Transaction, tenant: str, subject_id: str) -> list[Item]:
    """Items and jobs of somebody, without their results, the oldest first."""
    mine = (ITEMS.c.tenant == tenant, ITEMS.c.subject_id == subject_id, ITEMS.c.subject_id != "")
    ids = (await transaction.execute(select(ITEMS.c.id).where(*mine).order_by(ITEMS.c.id))).scalars().all()
    found = [await select_one(transaction, item_id) for item_id in ids]
    return [item for item in found if item is not None]
