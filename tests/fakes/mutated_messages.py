"""Requests of every RPC, and what becomes of them when bytes of them are changed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from google.protobuf.json_format import ParseDict

from vidence_cli.smoke.contract import Rpc, known_rpcs
from vidence_cli.smoke.picture import as_json, sample_picture
from vidence_cli.smoke.probe import Kept
from vidence_cli.smoke.probes.table import TOURS

_IDS = {
    "cursor": "5bd1e995.00000001.0000000000000001",
    "session": "ses_019f0000-0000-7000-8000-000000000000",
    "session_token": "token",
    "watch_token": "token",
    "batch": "bat_019f0000-0000-7000-8000-000000000000",
    "uploaded_batch": "bat_019f0000-0000-7000-8000-000000000001",
    "job": "job_019f0000-0000-7000-8000-000000000000",
    "query": "qry_019f0000-0000-7000-8000-000000000000",
    "export": "e30K",
}


def ids(kept: Kept) -> Kept:
    """With ids of the right form, of nothing that is there."""
    for name, value in _IDS.items():
        kept[name] = value
    return kept


def seeds(kept: Kept | None = None) -> Iterator[tuple[Rpc, list[bytes]]]:
    """A right request of every RPC, of client streams all of its messages.

    Args:
        kept: What they name; None: nothing that is there.
    """
    kept = kept or ids(Kept("mutated", as_json(sample_picture())))
    rpcs = known_rpcs()
    for tour in TOURS.values():
        for probe in tour.probes:
            made = probe.requests(kept)
            requests = [made] if isinstance(made, Mapping) else list(made)
            rpc = rpcs[probe.rpc]
            yield rpc, [ParseDict(dict(one), rpc.request()).SerializeToString() for one in requests]


def _flip(data: bytearray, draw: random.Random) -> None:
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _truncate(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data) + 1) :]


def _insert(data: bytearray, draw: random.Random) -> None:
    place = draw.randrange(len(data) + 1)
    data[place:place] = draw.randbytes(draw.randrange(1, 9))


def _repeat(data: bytearray, draw: random.Random) -> None:
    first = draw.randrange(len(data) + 1)
    data += data[first : first + 64]


def _huge(data: bytearray, draw: random.Random) -> None:
    """A number or a length that is as large as there are, at some place near the beginning."""
    place = draw.randrange(min(len(data), 64) + 1)
    data[place : place + 1] = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"


def _zeros(data: bytearray, draw: random.Random) -> None:
    place = draw.randrange(len(data) + 1)
    data[place : place + 16] = bytes(16)


def _unknown(data: bytearray, _draw: random.Random) -> None:
    """A field that nobody knows, before all others."""
    data[:0] = b"\xfa\xff\x03\x04what"


MUTATIONS: Sequence[Callable[[bytearray, random.Random], None]] = (
    _flip,
    _truncate,
    _insert,
    _repeat,
    _huge,
    _zeros,
    _unknown,
)


def mutated(messages: Sequence[bytes], draw: random.Random) -> list[bytes]:
    """The messages, one to three changes made to one of them; a stream may lose or swap messages too."""
    changed = [bytearray(message) for message in messages]
    if not changed:
        return [draw.randbytes(20)]
    if len(changed) > 1 and draw.random() < 0.3:
        changed.reverse()
    for _ in range(draw.randrange(1, 4)):
        draw.choice(MUTATIONS)(draw.choice(changed), draw)
    return [bytes(message) for message in changed]
