"""Asks the services one after another: what they hold, to erase it, and whether anything is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from vidence_server.core.erasure import Erasure
from vidence_server.core.errors import DomainError, ErrorKind
from vidence_server.erasure.domain.purge import BUSY, Purge, ServicePart
from vidence_server.erasure.ports import Holder, Reviews

REVIEW = "review"
_ATTEMPTS = 3
_FIRST_DELAY_S = 0.2
_PASSING = {ErrorKind.UNAVAILABLE, ErrorKind.RESOURCE_EXHAUSTED, ErrorKind.ABORTED, ErrorKind.INTERNAL}

Keep = Callable[[Purge], Awaitable[None]]
"""Keeps how far a purge is, so that it survives the death of the process."""


class Asking:
    """Brings a purge forward as far as the services let it."""

    def __init__(self, holders: Mapping[str, Holder], reviews: Reviews, random: Callable[[], float]) -> None:
        """Asks these.

        Args:
            holders: By name, in the order in which they are asked: those that put things into others first.
            reviews: Come last: what went before says which.
            random: Numbers in [0, 1), for jitter.
        """
        self._holders = holders
        self._reviews = reviews
        self._random = random

    async def count(self, purge: Purge) -> Purge:
        """What there is; erases nothing."""
        for name, holder in self._holders.items():
            purge = await self._planned(purge, name, holder)
        return await self._planned_reviews(purge)

    async def erase(self, purge: Purge, keep: Keep) -> Purge:
        """Erases in all services, then asks all of them again; never raises `DomainError` of theirs."""
        for name, holder in self._holders.items():
            purge = await self._planned(purge, name, holder)
            await keep(purge)
            if not purge.part(name).reason:
                purge = await self._erased(purge, name, partial(self._call, holder, purge, dry_run=False))
                await keep(purge)
        purge = await self._planned_reviews(purge)
        await keep(purge)
        if not purge.part(REVIEW).reason:
            purge = await self._erased(purge, REVIEW, partial(self._review, purge, dry_run=False))
        return await self._looked_again(purge)

    async def _planned(self, purge: Purge, name: str, holder: Holder) -> Purge:
        part = purge.part(name)
        try:
            found = await self._tried(partial(self._call, holder, purge, dry_run=True))
        except DomainError as error:
            return purge.with_part(part.failed(str(error.reason)))
        return purge.with_part(part.planned(found), found.review_subjects)

    async def _planned_reviews(self, purge: Purge) -> Purge:
        part = purge.part(REVIEW)
        try:
            found = await self._tried(partial(self._review, purge, dry_run=True))
        except DomainError as error:
            return purge.with_part(part.failed(str(error.reason)))
        return purge.with_part(part.planned(found))

    async def _erased(self, purge: Purge, name: str, call: Callable[[], Awaitable[Erasure]]) -> Purge:
        part = purge.part(name)
        try:
            told = await self._tried(call)
        except DomainError as error:
            return purge.with_part(part.failed(str(error.reason)))
        return purge.with_part(part.erased(told), told.review_subjects)

    async def _looked_again(self, purge: Purge) -> Purge:
        """Something may have come meanwhile: a result on its way into a library, say."""
        for name, holder in self._holders.items():
            call = partial(self._call, holder, purge, dry_run=True)
            purge = purge.with_part(await self._left(purge.part(name), call))
        call = partial(self._review, purge, dry_run=True)
        return purge.with_part(await self._left(purge.part(REVIEW), call))

    async def _left(self, part: ServicePart, call: Callable[[], Awaitable[Erasure]]) -> ServicePart:
        if not part.done:
            return part
        try:
            found = await self._tried(call)
        except DomainError as error:
            return part.failed(str(error.reason))
        return part.planned(found).failed(BUSY) if found.found else part

    async def _call(self, holder: Holder, purge: Purge, *, dry_run: bool) -> Erasure:
        return await holder.erase(purge.tenant, purge.subject_id, dry_run=dry_run)

    async def _review(self, purge: Purge, *, dry_run: bool) -> Erasure:
        return await self._reviews.erase(purge.tenant, purge.review_subjects, dry_run=dry_run)

    async def _tried(self, call: Callable[[], Awaitable[Erasure]]) -> Erasure:
        for attempt in range(_ATTEMPTS - 1):
            try:
                return await call()
            except DomainError as error:
                if error.kind not in _PASSING:
                    raise
                delay_s = error.retry_after_s or _FIRST_DELAY_S * 2**attempt
            await asyncio.sleep(min(delay_s, 1.0) * (0.5 + self._random() / 2))
        return await call()
