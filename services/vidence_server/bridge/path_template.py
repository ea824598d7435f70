"""Path templates of `google.api.http` (AIP-127) as regular expressions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_VARIABLE = re.compile(r"\{([a-z0-9_.]+)(?:=([^}]+))?\}")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """One template, such as `/v1/libraries/{library_id}/documents:import`."""

    text: str

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the fields that the path sets, in order."""
        return tuple(found[1] for found in _VARIABLE.finditer(self.text))

    @property
    def pattern(self) -> str:
        """A regular expression that a whole path matches; group n is variable n. RE2 knows it too."""
        parts: list[str] = []
        end = 0
        for found in _VARIABLE.finditer(self.text):
            parts.append(_segments(self.text[end : found.start()]))
            parts.append(f"({_segments(found[2] or '*')})")
            end = found.end()
        return "".join([*parts, _segments(self.text[end:])])

    @property
    def order(self) -> tuple[int, int]:
        """Sorts templates: of those that match one path, the first is meant."""
        return (len(self.variables), -len(self.text))

    def same_as(self, other: PathTemplate) -> bool:
        """Whether both match the same paths, whatever they call their variables."""
        return self.pattern == other.pattern

    def match(self, path: str) -> dict[str, str] | None:
        """The variables of a path as it came over the wire, decoded; None where it is another path."""
        found = re.fullmatch(self.pattern, path)
        if found is None:
            return None
        return {name: unquote(text) for name, text in zip(self.variables, found.groups(), strict=True)}

    def fill(self, variables: dict[str, str]) -> str:
        """The path with its variables in place, as they are."""
        return _VARIABLE.sub(lambda found: variables[found[1]], self.text)


def _segments(text: str) -> str:
    escaped = re.escape(text).replace(r"\*\*", ".+").replace(r"\*", "[^/]+")
    return escaped.replace(r"\-", "-")
