"""Judges recorded result streams: one function for each guarantee of the contract.

A record is the list of all messages of one stream, in the order of arrival. The validators say what is wrong
and where; they never repeat what was read from a document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from vidence.extraction.v1 import document_pb2, extraction_service_pb2
from vidence_client.conformance.violation import Violation

Response = extraction_service_pb2.ExtractDocumentResponse

_TERMINAL = frozenset({"extraction_complete", "extraction_failed"})
_ABOUT_THE_STREAM = frozenset({"connected", "heartbeat"})


def check_result_stream(
    messages: Sequence[Response],
    *,
    cancelled: bool = False,
    extraction_id: str | None = None,
    keys: Collection[str] | None = None,
) -> list[Violation]:
    """Judges the record of one `ExtractDocument` call by every validator.

    Args:
        messages: All that the client received.
        cancelled: Whether the client cancelled the call; then a terminal message may be missing.
        extraction_id: Whose messages these must be; None: any one reading's.
        keys: Field keys that may appear; None: any.

    Returns:
        What is wrong, by validator and position; empty where every guarantee holds.
    """
    return [
        *check_ordered(messages),
        *check_unique(messages),
        *check_terminated(messages, cancelled=cancelled),
        *check_isolated(messages, extraction_id=extraction_id, keys=keys),
        *check_progress(messages),
        *check_complete(messages),
    ]


def check_ordered(messages: Sequence[Response]) -> list[Violation]:
    """Ordered: `sequence` counts 1, 2, 3, … without a hole and `emit_time` never falls.

    `connected` comes first and once; `extraction_start` comes once, before everything that is about the
    document; `document_type_detected` comes at most once, and before the first field.
    """
    return [*_check_count(messages), *_check_times(messages), *_check_openings(messages)]


def _check_count(messages: Sequence[Response]) -> list[Violation]:
    return [
        Violation("Ordered", f"sequence is {message.sequence} instead of {position + 1}", position)
        for position, message in enumerate(messages)
        if message.sequence != position + 1
    ]


def _check_times(messages: Sequence[Response]) -> list[Violation]:
    times = [message.emit_time.ToNanoseconds() for message in messages]
    return [
        Violation("Ordered", "emit_time is earlier than the message before", position)
        for position in range(1, len(times))
        if times[position] < times[position - 1]
    ]


def _check_openings(messages: Sequence[Response]) -> list[Violation]:
    violations = []
    seen: set[str] = set()
    for position, message in enumerate(messages):
        kind = message.WhichOneof("payload") or ""
        if problem := _opening_problem(kind, seen):
            violations.append(Violation("Ordered", problem, position))
        seen.add(kind)
    return violations


def _opening_problem(kind: str, seen: set[str]) -> str:
    if not kind:
        return "the message has no payload that is known"
    if not seen and kind != "connected":
        return f"{kind} came before connected"
    if kind in seen and kind in {"connected", "extraction_start", "document_type_detected"}:
        return f"{kind} came again"
    if kind == "document_type_detected" and "extraction_field" in seen:
        return "document_type_detected came after a field"
    about_the_document = kind not in _ABOUT_THE_STREAM | {"extraction_start", "extraction_failed"}
    if about_the_document and "extraction_start" not in seen:
        return f"{kind} came before extraction_start"
    return ""


def check_unique(messages: Sequence[Response]) -> list[Violation]:
    """Unique: each (key, index, revision) comes once; the revisions of a (key, index) count 1, 2, 3, …."""
    violations = []
    revisions: dict[tuple[str, int], int] = {}
    for position, field in _fields(messages):
        expected = revisions.get((field.key, field.index), 0) + 1
        if field.revision != expected:
            text = f"{field.key}[{field.index}] has revision {field.revision} instead of {expected}"
            violations.append(Violation("Unique", text, position))
        revisions[field.key, field.index] = max(expected, field.revision)
    return violations


def check_terminated(messages: Sequence[Response], *, cancelled: bool = False) -> list[Violation]:
    """Terminated: exactly one terminal message, nothing after it; missing only where the client cancelled."""
    ends = [
        position for position, message in enumerate(messages) if message.WhichOneof("payload") in _TERMINAL
    ]
    if not ends:
        return [] if cancelled else [Violation("Terminated", "no terminal message", len(messages))]
    return [
        Violation("Terminated", "a message came after the terminal message", position)
        for position in range(ends[0] + 1, len(messages))
    ]


def check_isolated(
    messages: Sequence[Response],
    *,
    extraction_id: str | None = None,
    keys: Collection[str] | None = None,
) -> list[Violation]:
    """Isolated: nothing of another reading: one extraction id, the expected one, and no foreign field key.

    Args:
        messages: The record.
        extraction_id: The only id that may appear; None: whichever comes first.
        keys: Field keys that may appear, in fields and in the final document; None: any.
    """
    violations = []
    for position, message in enumerate(messages):
        if message.HasField("extraction_start"):
            found = message.extraction_start.extraction_id
            extraction_id = extraction_id or found
            if found != extraction_id:
                violations.append(Violation("Isolated", f"extraction id {found} is foreign", position))
        if keys is not None:
            foreign = sorted({field.key for field in _mentioned(message)} - set(keys))
            violations += [Violation("Isolated", f"field key {key} is foreign", position) for key in foreign]
    return violations


def check_progress(messages: Sequence[Response]) -> list[Violation]:
    """Progress: `done` never falls nor exceeds `total`; `fraction` is done / total, 1 where total is 0."""
    violations = []
    before = 0
    for position, message in enumerate(messages):
        if not message.HasField("extraction_progress"):
            continue
        progress = message.extraction_progress
        expected = progress.done / progress.total if progress.total else 1.0
        if progress.done < before:
            violations.append(Violation("Progress", f"done fell from {before} to {progress.done}", position))
        if progress.done > progress.total:
            violations.append(Violation("Progress", "done exceeds total", position))
        elif abs(progress.fraction - expected) > 1e-5:  # a float32 on the wire
            violations.append(Violation("Progress", "fraction is not done / total", position))
        before = max(before, progress.done)
    return violations


def check_complete(messages: Sequence[Response]) -> list[Violation]:
    """Complete: the final document holds the last revision of every sent field, and nothing else."""
    last: dict[tuple[str, int], document_pb2.ExtractedField] = {}
    violations = []
    for position, message in enumerate(messages):
        if message.HasField("extraction_field"):
            field = message.extraction_field.field
            last[field.key, field.index] = field
        elif message.HasField("extraction_complete"):
            problems = _document_problems(last, message.extraction_complete.document.fields)
            violations += [Violation("Complete", problem, position) for problem in problems]
    return violations


def _document_problems(
    last: dict[tuple[str, int], document_pb2.ExtractedField],
    fields: Iterable[document_pb2.ExtractedField],
) -> list[str]:
    problems = []
    missing = set(last)
    for field in fields:
        place = (field.key, field.index)
        name = f"{field.key}[{field.index}]"
        if place not in last:
            problems.append(f"{name} was never sent")
        elif place not in missing:
            problems.append(f"{name} stands twice in the document")
        elif field != last[place]:
            problems.append(f"{name} differs from its last revision")
        missing.discard(place)
    return problems + [f"{key}[{index}] is missing in the document" for key, index in sorted(missing)]


def _fields(messages: Sequence[Response]) -> list[tuple[int, document_pb2.ExtractedField]]:
    return [
        (position, message.extraction_field.field)
        for position, message in enumerate(messages)
        if message.HasField("extraction_field")
    ]


def _mentioned(message: Response) -> Iterable[document_pb2.ExtractedField]:
    if message.HasField("extraction_field"):
        return [message.extraction_field.field]
    return message.extraction_complete.document.fields
