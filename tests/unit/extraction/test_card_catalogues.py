from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from vidence_server.core.errors import DomainError, Reason
from vidence_server.extraction.catalogues import CardCatalogues


@pytest.mark.requirement("R-EX5")
async def test_a_catalogue_is_loaded_once_however_many_ask(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("Forest\nOx\n")
    catalogues = CardCatalogues({"mine": tmp_path / "mine.txt"}, "mine")
    first, second = await asyncio.gather(catalogues.get(), catalogues.get("mine"))
    assert first is second
    assert len(first) == 2


@pytest.mark.requirement("R-EX5")
async def test_the_demo_catalogue_is_built_in() -> None:
    demo = await CardCatalogues({}).get()
    assert len(demo) > 100
    assert demo.find("Forest")[0].score == 1.0


async def test_a_packed_catalogue_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "cards.txt.gz"
    path.write_bytes(gzip.compress(b"Forest\n"))
    assert len(await CardCatalogues({"packed": path}).get("packed")) == 1


@pytest.mark.requirement("R-EX5")
def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DomainError) as refused:
        CardCatalogues({}).check("theirs")
    assert refused.value.reason is Reason.CATALOGUE_UNKNOWN
    assert refused.value.metadata == {"known": "demo"}
    assert "theirs" not in refused.value.message


def test_a_missing_file_or_default_is_found_at_the_start(tmp_path: Path) -> None:
    for files, default in (({"mine": tmp_path / "none.txt"}, "demo"), ({}, "mine")):
        with pytest.raises(DomainError) as refused:
            CardCatalogues(files, default)
        assert refused.value.reason is Reason.CONFIGURATION_INVALID


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"# nothing but a comment\n"])
async def test_a_file_without_cards_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.txt").write_bytes(content)
    with pytest.raises(DomainError) as refused:
        await CardCatalogues({"mine": tmp_path / "mine.txt"}).get("mine")
    assert refused.value.reason is Reason.CONFIGURATION_INVALID
