"""Which events somebody wants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from vidence_server.event.domain.event import EventHeader

ANY = "*"


def pattern_regex(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """The texts that one of the patterns stands for, for `fullmatch`; None: no pattern, every text.

    `*` stands for any run of characters, an empty one too; everything else for itself. The time is linear in
    the text, whatever the pattern: each literal between two stars is looked for once, atomically.
    """
    alternatives = "|".join(_regex(pattern) for pattern in patterns)
    return re.compile(alternatives, re.DOTALL) if alternatives else None


def _regex(pattern: str) -> str:
    first, *rest = (re.escape(literal) for literal in pattern.split(ANY))
    if not rest:
        return f"(?:{first})"
    *middle, last = rest
    between = "".join(f"(?>.*?{literal})" for literal in middle if literal)
    return f"(?:{first}{between}.*{last})"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """All conditions must hold; within a list one match is enough. Equal filters are equal, in any order.

    Make it by `EventFilter.of`.
    """

    types: tuple[str, ...] = ()
    """Patterns, sorted; empty: all."""
    sources: tuple[str, ...] = ()
    """Patterns, sorted; empty: all."""
    subject_pattern: str = ""
    """Empty: all."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Names and values that must be there, sorted; an empty value asks for presence only."""
    minimum_severity: int = 0
    """0: all."""
    _types: re.Pattern[str] | None = field(init=False, compare=False, repr=False)
    _sources: re.Pattern[str] | None = field(init=False, compare=False, repr=False)
    _subject: re.Pattern[str] | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_types", pattern_regex(self.types))
        object.__setattr__(self, "_sources", pattern_regex(self.sources))
        object.__setattr__(
            self, "_subject", pattern_regex((self.subject_pattern,)) if self.subject_pattern else None
        )

    @classmethod
    def of(
        cls,
        *,
        types: Iterable[str] = (),
        sources: Iterable[str] = (),
        subject_pattern: str = "",
        attributes: Mapping[str, str] | None = None,
        minimum_severity: int = 0,
    ) -> EventFilter:
        """The filter of these conditions, in the form in which equal ones are equal."""
        return cls(
            types=tuple(sorted(set(types))),
            sources=tuple(sorted(set(sources))),
            subject_pattern=subject_pattern,
            attributes=tuple(sorted((attributes or {}).items())),
            minimum_severity=minimum_severity,
        )

    @property
    def selects_all(self) -> bool:
        """Whether there is no condition."""
        return self == _ALL

    def matches(self, key: object) -> bool:
        """Whether the event of this `EventHeader` is wanted."""
        header = cast(EventHeader, key)
        return (
            header.severity >= self.minimum_severity
            and (self._types is None or self._types.fullmatch(header.type) is not None)
            and (self._sources is None or self._sources.fullmatch(header.source) is not None)
            and (self._subject is None or self._subject.fullmatch(header.subject) is not None)
            and (not self.attributes or self._has_attributes(header.attributes))
        )

    def _has_attributes(self, attributes: Mapping[str, str]) -> bool:
        return all(
            name in attributes and (not value or attributes[name] == value) for name, value in self.attributes
        )


_ALL = EventFilter()
