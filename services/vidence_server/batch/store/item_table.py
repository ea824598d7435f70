"""The items that are kept: images of batches, and jobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import Select, delete, func, select, true, update

from vidence_server.batch.domain.batch import Item
from vidence_server.batch.domain.filing import FilingState
from vidence_server.batch.domain.states import ItemState
from vidence_server.batch.store.item_rows import ITEMS, filing_values_of, item_of, values_of
from vidence_server.storage.database import Transaction

_WITHOUT_RESULT = [column for column in ITEMS.c if column.name != "result"]


async def insert(transaction: Transaction, items: Sequence[Item], idempotency_key: str = "") -> None:
    """Adds items; a key for a single job."""
    if items:
        rows = [{"idempotency_key": idempotency_key or None, **values_of(item)} for item in items]
        await transaction.execute(sqlalchemy.insert(ITEMS), rows)


async def save(transaction: Transaction, item: Item) -> None:
    """Keeps what changed of an item, its result too."""
    await transaction.execute(update(ITEMS).where(ITEMS.c.id == item.id).values(**values_of(item)))


async def select_one(transaction: Transaction, item_id: str, *, result: bool = False) -> Item | None:
    """An item, whosever it is."""
    return await _one(transaction, _columns(result=result).where(ITEMS.c.id == item_id))


async def select_job(transaction: Transaction, tenant: str, job_id: str) -> Item | None:
    """A job of a tenant with its result."""
    mine = (ITEMS.c.id == job_id, ITEMS.c.tenant == tenant, ITEMS.c.batch_id.is_(None))
    return await _one(transaction, _columns(result=True).where(*mine))


async def select_job_by_key(transaction: Transaction, tenant: str, idempotency_key: str) -> Item | None:
    """The job that was submitted with a key."""
    mine = (ITEMS.c.tenant == tenant, ITEMS.c.idempotency_key == idempotency_key)
    return await _one(transaction, _columns(result=True).where(*mine))


async def select_at(transaction: Transaction, batch_id: str, index: int) -> Item | None:
    """The item at a place of a batch."""
    there = (ITEMS.c.batch_id == batch_id, ITEMS.c["index"] == index)
    return await _one(transaction, _columns().where(*there))


async def select_of_batch(
    transaction: Transaction, batch_id: str, states: Collection[ItemState] = ()
) -> list[Item]:
    """A batch's items by index, without their results."""
    wanted = _columns().where(ITEMS.c.batch_id == batch_id)
    if states:
        wanted = wanted.where(ITEMS.c.state.in_([state.value for state in states]))
    return [item_of(row) for row in await transaction.execute(wanted.order_by(ITEMS.c["index"]))]


async def select_page(
    transaction: Transaction,
    batch_id: str,
    states: Collection[ItemState],
    *,
    after: int,
    limit: int,
    max_bytes: int,
) -> list[Item]:
    """A batch's items by index with their results: at most about `max_bytes` of them, but at least one."""
    wanted = _columns(result=True).where(ITEMS.c.batch_id == batch_id, ITEMS.c["index"] > after)
    if states:
        wanted = wanted.where(ITEMS.c.state.in_([state.value for state in states]))
    sized = wanted.add_columns(
        func.sum(func.coalesce(func.length(ITEMS.c.result), 0))
        .over(order_by=ITEMS.c["index"])
        .label("so_far")
    )
    page = sized.order_by(ITEMS.c["index"]).limit(limit).subquery()
    # A row is given when those before it leave room: the first always is.
    before = page.c.so_far - func.coalesce(func.length(page.c.result), 0)
    found = await transaction.execute(select(page).where(before < max_bytes).order_by(page.c["index"]))
    return [item_of(row) for row in found]


async def select_jobs(
    transaction: Transaction, tenant: str, states: Collection[ItemState], *, before: str, limit: int
) -> list[Item]:
    """Jobs without their results, the newest first."""
    wanted = _columns().where(ITEMS.c.tenant == tenant, ITEMS.c.batch_id.is_(None))
    if states:
        wanted = wanted.where(ITEMS.c.state.in_([state.value for state in states]))
    if before:
        wanted = wanted.where(ITEMS.c.id < before)
    return [
        item_of(row) for row in await transaction.execute(wanted.order_by(ITEMS.c.id.desc()).limit(limit))
    ]


async def select_expired_jobs(transaction: Transaction, now: datetime, *, limit: int) -> list[Item]:
    """Jobs that are to be deleted."""
    wanted = _columns().where(ITEMS.c.batch_id.is_(None), ITEMS.c.expire_time <= now)
    return [item_of(row) for row in await transaction.execute(wanted.limit(limit))]


async def select_dead(transaction: Transaction, tenant: str, *, before: str, limit: int) -> list[Item]:
    """Dead letters, the newest first."""
    wanted = _columns().where(ITEMS.c.tenant == tenant, ITEMS.c.dead == true())
    if before:
        wanted = wanted.where(ITEMS.c.id < before)
    return [
        item_of(row) for row in await transaction.execute(wanted.order_by(ITEMS.c.id.desc()).limit(limit))
    ]


async def count_dead(transaction: Transaction, tenant: str) -> int:
    """How many dead letters are kept."""
    counted = select(func.count()).select_from(ITEMS).where(ITEMS.c.tenant == tenant, ITEMS.c.dead == true())
    number: int = (await transaction.execute(counted)).scalar_one()
    return number


async def cancel_of_batch(transaction: Transaction, batch_id: str, now: datetime) -> int:
    """Cancels the items of a batch that have not ended; gives how many."""
    open_states = [ItemState.QUEUED.value, ItemState.RUNNING.value]
    made = await transaction.execute(
        update(ITEMS)
        .where(ITEMS.c.batch_id == batch_id, ITEMS.c.state.in_(open_states))
        .values(state=ItemState.CANCELLED.value, end_time=now)
    )
    return made.rowcount


async def save_filing(transaction: Transaction, item: Item) -> None:
    """Keeps what became of an item's result in the library, and nothing else."""
    await transaction.execute(update(ITEMS).where(ITEMS.c.id == item.id).values(**filing_values_of(item)))


async def select_unfiled(transaction: Transaction, batch_id: str, state: FilingState) -> list[Item]:
    """A batch's items by index whose results are in this state, without these."""
    wanted = _columns().where(ITEMS.c.batch_id == batch_id, ITEMS.c.filing_state == state.value)
    return [item_of(row) for row in await transaction.execute(wanted.order_by(ITEMS.c["index"]))]


async def select_expired_images(transaction: Transaction, now: datetime, *, limit: int) -> list[Item]:
    """Items that were read and whose image is to be deleted."""
    wanted = _columns().where(ITEMS.c.image_expire_time <= now)
    return [item_of(row) for row in await transaction.execute(wanted.limit(limit))]


async def forget_images(transaction: Transaction, item_ids: Collection[str]) -> None:
    """The images of items are kept no more."""
    gone = update(ITEMS).where(ITEMS.c.id.in_(item_ids))
    await transaction.execute(gone.values(blob_id="", image_expire_time=None))


async def delete_of_batch(transaction: Transaction, batch_id: str) -> None:
    """Removes a batch's items."""
    await transaction.execute(delete(ITEMS).where(ITEMS.c.batch_id == batch_id))


async def delete_one(transaction: Transaction, item_id: str) -> None:
    """Removes an item."""
    await transaction.execute(delete(ITEMS).where(ITEMS.c.id == item_id))


def _columns(*, result: bool = False) -> Select[Any]:
    return select(ITEMS) if result else select(*_WITHOUT_RESULT)


async def _one(transaction: Transaction, wanted: Select[Any]) -> Item | None:
    row = (await transaction.execute(wanted)).one_or_none()
    return None if row is None else item_of(row)
