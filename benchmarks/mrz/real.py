"""Check digits right on real pictures: our pipeline, and every peer's text given to our MRZ reader.

Real documents: nothing that was read is kept or shown, only names of check digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.ocr.metrics import Line
from benchmarks.ours import Pipeline
from benchmarks.processes import Answer, Peer, engine_process
from benchmarks.report import Floor, table
from vidence_server.extraction.domain.document import ExtractedField, Verdict
from vidence_server.extraction.types.mrz.formats import FORMATS
from vidence_server.extraction.types.registry import document_type
from vidence_server.vision.geometry import Point, Quad
from vidence_server.vision.text import TextLine

OURS = "vidence"
OURS_UNTOLD = "vidence, type not told"
_TYPES = {"pass": "passport", "visa": "visa", "id": "id_card"}
_COMPOSITE = "mrz.composite_check"


@dataclass(frozen=True, slots=True)
class Checks:
    """The check digits of one picture, by field key."""

    format_name: str
    """Which layout was read; empty where none was."""
    right: frozenset[str]
    wrong: frozenset[str]
    """Read and contradicted; what is in neither was not read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one engine made of all pictures, by file name."""

    engine: str
    checks: dict[str, Checks]


def real_type(path: Path) -> str:
    """The type that a file's name tells: `pass-…`, `visa-…`, `id-…`."""
    return _TYPES[path.stem.partition("-")[0]]


def expected_checks(format_name: str) -> frozenset[str]:
    """Keys that have a check digit in a layout."""
    for known in FORMATS:
        if known.name == format_name:
            keys = {span.key for line in known.lines for span in line.spans if span.check is not None}
            return frozenset(keys | ({_COMPOSITE} if known.composite else set()))
    return frozenset()


def checks(fields: Iterable[ExtractedField]) -> Checks:
    """The verdicts on the check digits of the final fields."""
    latest = {(field.key, field.index): field for field in fields}
    format_name = next((field.value for field in latest.values() if field.key == "mrz.format"), "")
    expected = expected_checks(format_name)
    told = {field.key: field.validation.verdict for field in latest.values() if field.key in expected}
    return Checks(
        format_name,
        frozenset(key for key, verdict in told.items() if verdict is Verdict.VALID),
        frozenset(key for key, verdict in told.items() if verdict is Verdict.INVALID),
    )


def peer_checks(answer: Answer, key: str, today: date) -> Checks:
    """Our MRZ reader on another engine's text, in the way that suits it better.

    Once with the places it tells, and once with its lines simply one below the other: some engines tell
    upright boxes only, which overlap on a tilted picture.
    """
    stacked = [_stacked(index, line.text) for index, line in enumerate(answer.lines)]
    tries = [_read(answer.lines, quads, key, today) for quads in (answer.quads, stacked)]
    return max((checks(fields) for fields in tries), key=lambda found: len(found.right))


def _read(lines: Sequence[Line], quads: Sequence[Quad], key: str, today: date) -> list[ExtractedField]:
    """Feeds plain lines: no confidence and no alternatives for single characters."""
    reader = document_type(key).start(today)
    fields: list[ExtractedField] = []
    for index, (line, quad) in enumerate(zip(lines, quads, strict=True)):
        fields.extend(reader.feed(TextLine(index, line.text, 1.0, quad)))
    return [*fields, *reader.finish()]


def _stacked(index: int, text: str) -> Quad:
    """A place for a line below the line before, every character 12 × 20 px."""
    right, top = 12.0 * len(text), 30.0 * index
    return Quad(Point(0, top), Point(right, top), Point(right, top + 20), Point(0, top + 20))


async def our_outcomes(pipeline: Pipeline, pictures: Sequence[Path]) -> list[Outcome]:
    """Our pipeline, told the type as the peers are, and not told."""
    told, untold = {}, {}
    for path in pictures:
        content = path.read_bytes()
        told[path.name] = checks((await pipeline.read(content, real_type(path))).fields)
        untold[path.name] = checks((await pipeline.read(content)).fields)
    return [Outcome(OURS, told), Outcome(OURS_UNTOLD, untold)]


async def peer_outcome(peer: Peer, pictures: Sequence[Path], today: date, log: Path) -> Outcome:
    """A peer with its defaults."""
    found = {}
    async with engine_process(peer.name, peer.command(), log=log, environ=dict(peer.environ)) as engine:
        for path in pictures:
            answer = await engine.read(path)
            found[path.name] = peer_checks(answer, real_type(path), today)
    return Outcome(peer.name, found)


@dataclass(frozen=True, slots=True)
class Score:
    """One engine over all pictures."""

    right: int
    pictures_right: int
    """Pictures with every check digit right."""


def wanted(outcomes: Sequence[Outcome]) -> dict[str, frozenset[str]]:
    """The check digits of each picture, from the layout that the engine with most right ones saw."""
    names = outcomes[0].checks
    best = {
        name: max((outcome.checks[name] for outcome in outcomes), key=lambda one: len(one.right))
        for name in names
    }
    return {name: expected_checks(found.format_name) for name, found in best.items()}


def score(outcome: Outcome, expected: dict[str, frozenset[str]]) -> Score:
    """Counts what is right; a picture of which no engine read a layout is right for nobody."""
    whole = [name for name, keys in expected.items() if keys and outcome.checks[name].right >= keys]
    return Score(sum(len(found.right) for found in outcome.checks.values()), len(whole))


def checks_table(outcomes: Sequence[Outcome]) -> str:
    """Right check digits per picture and engine, as Markdown."""
    expected = wanted(outcomes)
    scores = [score(outcome, expected) for outcome in outcomes]
    rows = [
        [name, *(str(len(outcome.checks[name].right)) for outcome in outcomes), str(len(keys) or "?")]
        for name, keys in expected.items()
    ]
    total = sum(map(len, expected.values()))
    rows.append(["check digits right", *(str(one.right) for one in scores), str(total)])
    rows.append(["pictures all right", *(str(one.pictures_right) for one in scores), str(len(expected))])
    return table(["picture", *(outcome.engine for outcome in outcomes), "of"], rows)


def misses(outcome: Outcome, expected: dict[str, frozenset[str]]) -> list[str]:
    """Every check digit that is not right, by name only."""
    lines = []
    for name, keys in expected.items():
        found = outcome.checks[name]
        if not keys:
            lines.append(f"{name}: no zone read by anybody")
        lines += [
            f"{name}: {key} {'contradicted' if key in found.wrong else 'not read'}"
            for key in sorted(keys - found.right)
        ]
    return lines


def floors(outcomes: Sequence[Outcome]) -> list[Floor]:
    """Ours is at least as good as each peer."""
    expected = wanted(outcomes)
    ours = score(outcomes[0], expected)
    found = []
    for outcome in outcomes[1:]:
        if outcome.engine == OURS_UNTOLD:
            continue
        theirs = score(outcome, expected)
        found.append(Floor(f"check digits right, as {outcome.engine}", ours.right, theirs.right))
        found.append(
            Floor(f"pictures all right, as {outcome.engine}", ours.pictures_right, theirs.pictures_right)
        )
    return found
