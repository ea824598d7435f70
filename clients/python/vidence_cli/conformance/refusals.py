"""Scenarios of cursors that cannot be used."""

from __future__ import annotations

from vidence.stream.v1 import stream_control_pb2
from vidence_cli.conformance.bench import Bench, reached

_LOG = slice(0, 8)
_EPOCH = slice(9, 17)


async def refuse_cursors(bench: Bench) -> None:
    """Text that is no cursor, another log's, and one of an epoch that is gone."""
    cursor = bench.last_cursor
    other_log = _changed(cursor, _LOG)
    other_epoch = _changed(cursor, _EPOCH)
    await _refused(bench, "not a cursor", "INVALID_ARGUMENT", "CURSOR_INVALID")
    await _refused(bench, other_log, "INVALID_ARGUMENT", "CURSOR_FOREIGN")
    await _refused(bench, other_epoch, "OUT_OF_RANGE", "CURSOR_EXPIRED")
    await _told_by_gap(bench, other_epoch)


async def _refused(bench: Bench, cursor: str, code: str, reason: str) -> None:
    request = bench.request(bench.own())
    request.after_cursor = cursor
    watched = await bench.watch(request, lambda _: True)
    status = watched.status
    told = "an open stream" if status is None else f"{status.code}, {status.reason}"
    refused = status is not None and (status.code, status.reason) == (code, reason)
    bench.verdicts.expect("bad cursor", "Refused", refused, f"{told} instead of {code}, {reason}")


async def _told_by_gap(bench: Bench, cursor: str) -> None:
    request = bench.request(bench.own())
    request.after_cursor = cursor
    request.on_expired = stream_control_pb2.ON_EXPIRED_GAP
    watched = await bench.watch(request, reached(bench.last_cursor))
    bench.judge("expired, with a gap", watched)
    gaps = [message.gap for message in watched.record.messages if message.gap is not None]
    told = bool(gaps) and (gaps[0].from_cursor, gaps[0].reason) == (cursor, "EPOCH")
    bench.verdicts.expect("expired, with a gap", "Reliable", told, "no gap told that the epoch changed")
    came = [event.cursor for event in watched.events] == [event.cursor for event in bench.published]
    bench.verdicts.expect("expired, with a gap", "Reliable", came, "what is left did not come")


def _changed(cursor: str, part: slice) -> str:
    """The cursor with the last digit of a part changed."""
    place = part.stop - 1
    digit = "1" if cursor[place] == "0" else "0"
    return cursor[:place] + digit + cursor[place + 1 :]
