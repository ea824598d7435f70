"""How a page of a listing is searched: which part of the index, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from vidence_server.event.domain.filters import ANY, EventFilter
from vidence_server.event.domain.pages import EventQuery
from vidence_server.event.store.index import attribute_text

MAX_KINDS = 32
"""With more kinds than this the events are looked at one after another, whatever their kind."""


class Range(NamedTuple):
    """A stretch of one log."""

    log: int
    after: int
    """Exclusive."""
    before: int
    """Exclusive."""


@dataclass(slots=True)
class Conditions:
    """SQL that rows must satisfy, and its parameters. All that matches passes, and a little else may."""

    clauses: list[str] = field(default_factory=list)
    parameters: dict[str, str | int] = field(default_factory=dict)

    def add(self, clause: str, **parameters: str | int) -> None:
        """One more condition."""
        self.clauses.append(clause)
        self.parameters.update(parameters)

    def any_of(self, expressions: Iterable[tuple[str, str, str]]) -> None:
        """One more condition: one of `(expression, parameter, value)` holds."""
        listed = list(expressions)
        if listed:
            self.add(
                f"({' OR '.join(expression for expression, _, _ in listed)})",
                **{name: value for _, name, value in listed},
            )

    def sql(self) -> str:
        """All of them, as one expression."""
        return " AND ".join(self.clauses) or "TRUE"


def kind_conditions(wanted: EventFilter) -> Conditions:
    """Which rows of `event_kinds` can have matching events."""
    conditions = Conditions()
    for column, patterns in (("type", wanted.types), ("source", wanted.sources)):
        conditions.any_of(
            (f"{column} GLOB :{column}_{number}", f"{column}_{number}", _glob(pattern))
            for number, pattern in enumerate(patterns)
        )
    if wanted.minimum_severity:
        conditions.add("severity >= :severity", severity=wanted.minimum_severity)
    if wanted.subject_pattern:
        _parent_condition(conditions, wanted.subject_pattern)
    return conditions


def row_conditions(query: EventQuery, *, kinds: Conditions | None) -> Conditions:
    """Which rows of `event_index` can match.

    Args:
        query: What is listed.
        kinds: What the kind of a row must satisfy; None: that is known already.
    """
    wanted = query.filter
    conditions = Conditions()
    if kinds is not None and kinds.clauses:
        conditions.add(
            f"kind IN (SELECT kind FROM event_kinds WHERE log = :log AND {kinds.sql()})",  # noqa: S608 - of constants and parameters
            **kinds.parameters,
        )
    if wanted.subject_pattern not in {"", ANY}:
        conditions.add("subject GLOB :subject", subject=_glob(wanted.subject_pattern))
    for number, (name, value) in enumerate(wanted.attributes):
        conditions.add(
            f"instr(attributes, :attribute_{number}) > 0",
            **{f"attribute_{number}": attribute_text(name, value)},
        )
    if query.text:
        _text_condition(conditions, query.text)
    return conditions


def one_after_another(conditions: Conditions) -> str:
    """SQL for the newest matching offsets from `:down_to` on, all rows in between looked at."""
    return (
        "SELECT offset FROM event_index"  # noqa: S608 - conditions are made of constants and parameters
        f" WHERE log = :log AND offset >= :down_to AND offset < :before AND {conditions.sql()}"
        " ORDER BY offset DESC LIMIT :limit"
    )


def newest_of_kinds(kinds: Iterable[int], limit: str) -> str:
    """SQL for the newest offsets of some kinds, falling: their indexes merged, no more read than needed.

    Args:
        kinds: At most `MAX_KINDS`.
        limit: Name of the parameter that says how many.
    """
    arms = " UNION ALL ".join(
        "SELECT offset FROM event_index INDEXED BY event_index_by_kind"  # noqa: S608 - a number, not a text
        f" WHERE log = :log AND kind = {kind:d} AND offset > :after AND offset < :before"
        for kind in kinds
    )
    return f"{arms} ORDER BY offset DESC LIMIT :{limit}"


def of_kinds_checked(kinds: Iterable[int], conditions: Conditions) -> str:
    """SQL for the newest matching offsets among the newest `:scan` of some kinds."""
    if not conditions.clauses:
        return newest_of_kinds(kinds, "limit")
    # The merged offsets come falling and are joined as they come: no sorting, and it ends with the limit.
    return (
        f"SELECT offset FROM ({newest_of_kinds(kinds, 'scan')}) AS newest"  # noqa: S608 - see above
        " CROSS JOIN event_index USING (offset)"
        f" WHERE event_index.log = :log AND {conditions.sql()} LIMIT :limit"
    )


def _text_condition(conditions: Conditions, text: str) -> None:
    if text.isascii():
        comparison, value = "LIKE :text ESCAPE '\\'", _like(text)
        found = [f"{column} {comparison}" for column in ("subject", "id", "type", "source")]
    else:  # LIKE knows the case of ASCII letters only
        value = text.lower()
        found = [f"holds({column}, :text)" for column in ("subject", "id", "type", "source")]
    kinds = f"SELECT kind FROM event_kinds WHERE log = :log AND ({found[2]} OR {found[3]})"  # noqa: S608 - of constants and parameters
    conditions.add(f"({found[0]} OR {found[1]} OR kind IN ({kinds}))", text=value)


def _parent_condition(conditions: Conditions, pattern: str) -> None:
    """A matching subject begins as the pattern does; so does its parent, or it is a part of that."""
    literal, star, _ = pattern.partition(ANY)
    if not star:
        parent, slash, _ = pattern.rpartition("/")
        conditions.add("parent = :parent", parent=parent + slash)
    elif literal:
        conditions.add(
            "(substr(parent, 1, length(:literal)) = :literal"
            " OR substr(:literal, 1, length(parent)) = parent)",
            literal=literal,
        )


def _glob(pattern: str) -> str:
    """The pattern for GLOB, where `?` and `[` have a meaning too."""
    return "".join(f"[{letter}]" if letter in "?[" else letter for letter in pattern)


def _like(text: str) -> str:
    escaped = "".join(f"\\{letter}" if letter in "%_\\" else letter for letter in text)
    return f"%{escaped}%"
