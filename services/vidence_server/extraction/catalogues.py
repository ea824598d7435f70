"""The card catalogues of a service: each is loaded once, when it is first asked for."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.extraction.types.decklist.catalogue import CardCatalogue
from vidence_server.extraction.types.decklist.catalogue_file import read_catalogue

_ENCODING = "utf-8-sig"
DEMO = "demo"
"""Name of the catalogue that comes with the service: made-up cards."""
DEMO_FILE = Path(__file__).parent / "types" / "decklist" / "demo_catalogue.txt"


class CardCatalogues:
    """Named catalogues, shared by all readings of a process."""

    def __init__(self, files: Mapping[str, Path], default: str = DEMO) -> None:
        """Looks at no file yet, but that it is there.

        Args:
            files: where each catalogue lies, by name.
            default: the one that is used where a request names none.

        Raises:
            DomainError: CONFIGURATION_INVALID, when a file is missing or `default` is no name.
        """
        self._files = {DEMO: DEMO_FILE, **files}
        self._default = default
        self._loaded: dict[str, CardCatalogue] = {}
        self._locks = {name: asyncio.Lock() for name in self._files}
        for name, path in self._files.items():
            if not path.is_file():
                raise DomainError(
                    Reason.CONFIGURATION_INVALID,
                    f"the file of the card catalogue {name!r} is not there: {path}",
                )
        if default not in self._files:
            raise DomainError(
                Reason.CONFIGURATION_INVALID,
                f"the default card catalogue {default!r} is none of card_catalogues",
            )

    def check(self, name: str) -> None:
        """Refuses a name that no catalogue has; the empty name is the default's.

        Raises:
            DomainError: CATALOGUE_UNKNOWN.
        """
        if name and name not in self._files:
            known = ", ".join(sorted(self._files))
            raise DomainError(
                Reason.CATALOGUE_UNKNOWN,
                f"no such card catalogue; known are {known}",
                fields=(FieldViolation("options.catalogue", f"must be one of {known}"),),
                metadata={"known": known},
            )

    async def get(self, name: str = "") -> CardCatalogue:
        """The catalogue of a name, loaded by now; many may ask at once.

        Raises:
            DomainError: CATALOGUE_UNKNOWN; CONFIGURATION_INVALID, when its file cannot be read.
        """
        self.check(name)
        chosen = name or self._default
        async with self._locks[chosen]:
            if chosen not in self._loaded:
                self._loaded[chosen] = await asyncio.to_thread(load_catalogue, self._files[chosen])
            return self._loaded[chosen]


def load_catalogue(path: Path) -> CardCatalogue:
    """Reads a catalogue file and indexes it; blocks for seconds where it is large.

    Raises:
        DomainError: CONFIGURATION_INVALID, when it cannot be read or names no card.
    """
    try:
        with path.open("rb") as raw:
            sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
        with (
            gzip.open(path, "rt", encoding=_ENCODING)
            if path.suffix == ".gz"
            else path.open(encoding=_ENCODING) as lines
        ):
            catalogue = CardCatalogue(read_catalogue(lines), sha256=sha256)
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"the card catalogue {path} cannot be read"
        ) from error
    if not len(catalogue):
        raise DomainError(Reason.CONFIGURATION_INVALID, f"the card catalogue {path} names no card")
    return catalogue
