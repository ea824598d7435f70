"""kill -9 at named points of the writer: what was acknowledged is there, and no offset is used again."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.durable import Sink, draft, names, open_bus, read_all
from fakes.log_process import BLOCK
from vidence_server.streams.append import Appended, Durability
from vidence_server.streams.durable import verify
from vidence_server.streams.durable.writer import WriterSettings
from vidence_server.streams.entry import Entry, GapReason, Hole

pytestmark = [pytest.mark.requirement("R-EV3"), pytest.mark.requirement("R-ST4")]
TESTS = Path(__file__).parents[1]
EVERYTHING = 10**9
MEMORY, WRITTEN, SYNCED = Durability
KINDS = {"memory": [MEMORY] * 3, "written": [WRITTEN] * 3, "synced": [SYNCED] * 2, "mixed": [*Durability]}
STEPS = ["reserve", "fsync", "begin", "insert", "commit", "broadcast", "ack"]
POINTS = [f"{when} {step}" for step in STEPS for when in ("before", "after")]
QUICK = {
    ("before fsync", 3, "memory"),
    ("after reserve", 2, "written"),
    ("after insert", 7, "mixed"),
    ("before commit", 9, "memory"),
    ("after commit", 5, "synced"),
    ("before ack", 7, "written"),
}


@dataclass
class Told:
    """What a process said before it died."""

    acknowledged: dict[str, tuple[int, Durability]] = field(default_factory=dict)
    broadcast: dict[int, str] = field(default_factory=dict)
    synced_bytes: int = 0

    @property
    def last(self) -> int:
        offsets = [offset for offset, _ in self.acknowledged.values()]
        return max([0, *offsets, *self.broadcast])


def live(path: Path, point: str, occurrence: int, levels: list[Durability], **plan: object) -> Told:
    """One life of the process; it ends at its point."""
    program = {
        "path": str(path),
        "point": point,
        "occurrence": occurrence,
        "levels": levels,
        "keep": EVERYTHING,
    }
    command = [sys.executable, "-m", "fakes.log_process", json.dumps(program | {"life": "a"} | plan)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == -signal.SIGKILL, (done.returncode, done.stderr)
    told = Told()
    for line in map(json.loads, done.stdout.splitlines()):
        if "synced" in line:
            told.synced_bytes = line["synced"]
        elif line["level"]:
            told.acknowledged[line["name"]] = (line["offset"], Durability(line["level"]))
        else:
            assert told.broadcast.setdefault(line["offset"], line["name"]) == line["name"]
    return told


async def check(path: Path, told: Told, *, survives: Durability | None) -> None:
    """Opens the log again and looks whether everything is as promised."""
    sink = Sink()
    async with open_bus(path, sink=sink, settings=WriterSettings(block=BLOCK)) as log:
        oldest, newest = log.bounds()
        items = await read_all(log)
        kept = {item.offset: str(item.key) for item in items if isinstance(item, Entry)}
        holes = [item for item in items if isinstance(item, Hole)]
        assert {hole.reason for hole in holes} <= {GapReason.UNCLEAN_STOP}
        assert len(kept) + sum(hole.until - hole.after for hole in holes) == newest - oldest
        assert len(set(kept.values())) == len(kept)
        for offset, name in told.broadcast.items():
            assert kept.get(offset, name) == name
        for name, (offset, level) in told.acknowledged.items():
            if survives is not None and level >= survives and offset > oldest:
                assert kept[offset] == name
            assert kept.get(offset, name) == name
        assert newest >= told.last
        again = [(name, offset) for offset, name in kept.items()][-20:]
        results = await log.append([draft(name) for name, _ in again] + [draft("next")], SYNCED)
        assert results[:-1] == [Appended(offset, True) for _, offset in again]
        assert results[-1] == Appended(newest + 1, False)
        assert names(sink.items) == ["next"]
    async with open_bus(path) as log:
        assert log.bounds() == (oldest, newest + 1)
        assert [item for item in await read_all(log) if isinstance(item, Hole)] == holes
    assert verify(path).sound


CASES = [
    pytest.param(
        point,
        occurrence,
        kind,
        id=f"{point}-{occurrence}-{kind}".replace(" ", "-"),
        marks=[] if (point, occurrence, kind) in QUICK else [pytest.mark.soak],
    )
    for point in POINTS
    for occurrence in (1, 2, 3, 5, 7, 9)
    for kind in KINDS
]


@pytest.mark.parametrize(("point", "occurrence", "kind"), CASES)
async def test_a_killed_writer_keeps_its_word(tmp_path: Path, point: str, occurrence: int, kind: str) -> None:
    path = tmp_path / "e.db"
    told = live(path, point, occurrence, KINDS[kind])
    await check(path, told, survives=WRITTEN)


@pytest.mark.parametrize(
    ("point", "occurrence"),
    [
        ("after remove", 2),
        pytest.param("before remove", 1, marks=pytest.mark.soak),
        pytest.param("before remove", 4, marks=pytest.mark.soak),
        pytest.param("after remove", 1, marks=pytest.mark.soak),
        pytest.param("after commit", 12, marks=pytest.mark.soak),
    ],
)
async def test_a_writer_killed_while_it_removes_keeps_its_word(
    tmp_path: Path, point: str, occurrence: int
) -> None:
    path = tmp_path / "e.db"
    told = live(path, point, occurrence, KINDS["mixed"], keep=20)
    await check(path, told, survives=WRITTEN)


@pytest.mark.parametrize(
    ("point", "occurrence"),
    [
        ("after add_hole", 1),
        pytest.param("before add_hole", 1, marks=pytest.mark.soak),
        pytest.param("before commit", 1, marks=pytest.mark.soak),
        pytest.param("after commit", 1, marks=pytest.mark.soak),
        pytest.param("before reserve", 1, marks=pytest.mark.soak),
        pytest.param("after insert", 4, marks=pytest.mark.soak),
    ],
)
async def test_a_writer_killed_again_and_again_keeps_its_word(
    tmp_path: Path, point: str, occurrence: int
) -> None:
    path, told = tmp_path / "e.db", Told()
    for life in "abc":
        where = ("after commit", 6) if life == "a" else (point, occurrence)
        more = live(path, *where, KINDS["mixed"], life=life)
        assert told.acknowledged.keys().isdisjoint(more.acknowledged)
        assert not more.broadcast or min(more.broadcast) > told.last
        told.acknowledged |= more.acknowledged
        told.broadcast |= more.broadcast
    await check(path, told, survives=WRITTEN)


SEEDS = [pytest.param(seed, marks=[] if seed < 2 else [pytest.mark.soak]) for seed in range(12)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("tear", ["cut", "garbage"])
async def test_a_torn_tail_loses_nothing_that_was_synced(tmp_path: Path, seed: int, tear: str) -> None:
    rng, path = random.Random(seed), tmp_path / "e.db"
    told = live(path, rng.choice(POINTS), rng.randrange(6, 14), KINDS["mixed"])
    wal = path.with_name("e.db-wal")
    data = wal.read_bytes()
    assert 0 < told.synced_bytes <= len(data)
    start = rng.randint(told.synced_bytes, len(data))
    wal.write_bytes(data[:start] + (rng.randbytes(len(data) - start) if tear == "garbage" else b""))
    await check(path, told, survives=SYNCED)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_bit_flipped_in_the_tail_makes_no_offset_used_again(tmp_path: Path, seed: int) -> None:
    rng, path = random.Random(seed), tmp_path / "e.db"
    told = live(path, rng.choice(POINTS), rng.randrange(6, 14), KINDS["mixed"])
    wal = path.with_name("e.db-wal")
    data = bytearray(wal.read_bytes())
    # Behind the frames that made the tables and the log: without them there is no log to ask.
    data[rng.randrange(len(data) // 3, len(data))] ^= 1 << rng.randrange(8)
    wal.write_bytes(data)
    await check(path, told, survives=None)
