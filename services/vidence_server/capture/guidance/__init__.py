"""The words of the guidance: one file per language; a further language is a further file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from vidence_server.core.errors import DomainError, FieldViolation, Reason

_FOLDER = Path(__file__).parent
DEFAULT_LANGUAGE = "en"


class GuidanceTexts:
    """The words of every advice in every language there is a file for."""

    def __init__(self, languages: Mapping[str, Mapping[str, str]]) -> None:
        self._languages = languages

    @classmethod
    def load(cls, folder: Path = _FOLDER) -> GuidanceTexts:
        """Reads the files of a folder, `<language>.toml` with a text per code.

        Raises:
            DomainError: CONFIGURATION_INVALID where a file misses a code that English has.
        """
        found = {path.stem: _read(path) for path in sorted(folder.glob("*.toml"))}
        known = set(found.get(DEFAULT_LANGUAGE, {}))
        for language, texts in found.items():
            if missing := known - set(texts):
                raise DomainError(
                    Reason.CONFIGURATION_INVALID,
                    f"The guidance in {language} has no words for {', '.join(sorted(missing))}.",
                )
        return cls(found)

    @property
    def languages(self) -> tuple[str, ...]:
        """Tags of the languages, sorted."""
        return tuple(sorted(self._languages))

    @property
    def codes(self) -> frozenset[str]:
        """Codes that have words."""
        return frozenset(self._languages[DEFAULT_LANGUAGE])

    def language(self, tag: str) -> str:
        """The language that serves a tag (`es-MX`: `es`); empty: the default.

        Raises:
            DomainError: LANGUAGE_UNKNOWN.
        """
        language = tag.partition("-")[0] or DEFAULT_LANGUAGE
        if language not in self._languages:
            known = ", ".join(self.languages)
            raise DomainError(
                Reason.LANGUAGE_UNKNOWN,
                "There is no guidance in this language.",
                fields=(FieldViolation("plan.language", f"must be one of {known}"),),
                metadata={"known": known},
            )
        return language

    def text(self, language: str, code: str) -> str:
        """The words of an advice; the code itself where there are none."""
        return self._languages[language].get(code, code)


def _read(path: Path) -> Mapping[str, str]:
    try:
        texts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DomainError(Reason.CONFIGURATION_INVALID, f"Cannot read the guidance {path}.") from error
    if not all(isinstance(text, str) and text for text in texts.values()):
        raise DomainError(Reason.CONFIGURATION_INVALID, f"A text of the guidance {path} is empty.")
    return texts
