"""Which readings of a field are news, and which revision each has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vidence_server.extraction.domain.document import NOT_CHECKED, ExtractedField


class Revisions:
    """Numbers the readings of one picture's fields. Remembers what was given last, nothing else."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, int], ExtractedField] = {}

    def news(self, fields: Iterable[ExtractedField]) -> list[ExtractedField]:
        """The fields that say something else than before, with their revisions."""
        news: list[ExtractedField] = []
        for field in fields:
            place = (field.key, field.index)
            known = self._given.get(place)
            if known is not None and _says(known) == _says(field):
                continue
            self._given[place] = replace(field, revision=known.revision + 1 if known else 1)
            news.append(self._given[place])
        return news

    def final(self, fields: Iterable[ExtractedField]) -> list[ExtractedField]:
        """The news of the last reading; what was given before and is not in it is taken back."""
        last = list(fields)
        current = {(field.key, field.index) for field in last}
        gone = [withdrawn(field) for place, field in self._given.items() if place not in current]
        return self.news([*last, *gone])


def withdrawn(field: ExtractedField) -> ExtractedField:
    """An empty reading in place of one that a later line disproved."""
    return ExtractedField(
        key=field.key,
        index=field.index,
        revision=field.revision,
        raw_value="",
        value="",
        confidence=0.0,
        quad=None,
        source=field.source,
        validation=replace(NOT_CHECKED, message="an earlier reading of this field was taken back"),
    )


def _says(field: ExtractedField) -> tuple[object, ...]:
    return (
        field.raw_value,
        field.value,
        field.source,
        field.validation,
        field.corrections,
        field.alternatives,
    )
