"""Which events match a filter, as its proto comment says: a judgement beside the server's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from vidence.event.v1 import event_pb2


def matcher_of(wanted: event_pb2.EventFilter) -> Callable[[object], bool]:
    """Makes a test for events; what is no event does not match."""
    types = _patterns(wanted.types)
    sources = _patterns(wanted.sources)
    subjects = _patterns([wanted.subject_pattern] if wanted.subject_pattern else [])
    attributes = dict(wanted.attributes)

    def matches(event: object) -> bool:
        return (
            isinstance(event, event_pb2.Event)
            and _fits(types, event.type)
            and _fits(sources, event.source)
            and _fits(subjects, event.subject)
            and _has(attributes, dict(event.attributes))
            and (event.severity or event_pb2.SEVERITY_INFO) >= wanted.minimum_severity
        )

    return matches


def _patterns(texts: Sequence[str]) -> list[re.Pattern[str]]:
    """`*` stands for any run of characters, everything else for itself."""
    return [re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL) for text in texts]


def _fits(patterns: list[re.Pattern[str]], text: str) -> bool:
    return not patterns or any(pattern.fullmatch(text) for pattern in patterns)


def _has(wanted: dict[str, str], attributes: dict[str, str]) -> bool:
    return all(key in attributes and value in {"", attributes[key]} for key, value in wanted.items())
