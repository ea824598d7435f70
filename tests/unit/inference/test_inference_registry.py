"""The registry: what ships is complete, what is wrong is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.registry import (
    ArchiveMember,
    LocalFile,
    ModelOverride,
    NpmPackage,
    PypiPackage,
    RemoteFile,
    load_registry,
    parse_registry,
)

pytestmark = pytest.mark.requirement("R-OP7")

PERMISSIVE = {"Apache-2.0", "MIT", "BSD-3-Clause", "ISC", "MPL-2.0"}
SHA = "ab" * 32

TEMPLATE = f"""
schema = 1
[archives.carrier]
kind = "npm"
name = "carrier"
version = "1.2.3"
sha256 = "{SHA}"
[models.m]
title = "M"
source = {{ archive = "carrier", member = "package/m.onnx" }}
sha256 = "{SHA}"
size_bytes = 5
licence = {{ spdx = "MIT", origin = "there" }}
inputs = []
outputs = []
preprocessing = ""
max_batch = 2
warm_up = [{{ x = [1, 2] }}]
"""


def test_the_shipped_registry_is_complete_and_permissive() -> None:
    registry = load_registry()
    assert [spec.name for spec in registry] == ["ocr-detector", "ocr-recogniser", "ocr-direction"]
    assert len(registry) == 3
    for spec in registry:
        assert spec.licence.spdx in PERMISSIVE
        assert all(
            (spec.title, spec.licence.origin, spec.inputs, spec.outputs, spec.preprocessing, spec.size_bytes)
        )
        assert spec.max_batch >= 1
        assert spec.warm_up_shapes
        assert isinstance(spec.source, ArchiveMember)
        assert spec.source.archive == PypiPackage("rapidocr", "3.10.0", spec.source.archive.sha256)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    registry = load_registry()
    assert "ocr-detector" in registry
    assert "nope" not in registry
    with pytest.raises(DomainError, match=r"'nope'.*ocr-detector") as caught:
        registry["nope"]
    assert caught.value.reason is Reason.MODEL_UNKNOWN


def test_every_kind_of_source_is_read() -> None:
    assert parse_registry(TEMPLATE)["m"].source == ArchiveMember(
        NpmPackage("carrier", "1.2.3", SHA), "package/m.onnx"
    )
    member = '{ archive = "carrier", member = "package/m.onnx" }'
    assert parse_registry(TEMPLATE.replace(member, '{ path = "/m.onnx" }'))["m"].source == LocalFile(
        Path("/m.onnx")
    )
    url = parse_registry(TEMPLATE.replace(member, '{ url = "https://host/m.onnx" }'))["m"].source
    assert url == RemoteFile("https://host/m.onnx")


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ("schema = 1", "schema = 2", "schema 2"),
        ("schema = 1", "schema =", "TOMLDecodeError"),
        (f'sha256 = "{SHA}"\nsize', 'sha256 = "AB"\nsize', "no sha256"),
        ('archive = "carrier"', 'archive = "other"', "other"),
        ('kind = "npm"', 'kind = "cargo"', "cargo"),
        ("max_batch = 2", "", "max_batch"),
        ('member = "package/m.onnx"', 'file = "m"', "a source is"),
        ('origin = "there"', 'from = "there"', "from"),
    ],
)
def test_a_wrong_registry_is_refused_with_the_place(good: str, bad: str, words: str) -> None:
    assert good in TEMPLATE
    with pytest.raises(DomainError, match=words) as caught:
        parse_registry(TEMPLATE.replace(good, bad))
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


def test_an_override_changes_the_file_and_keeps_how_it_is_fed() -> None:
    registry = load_registry()
    changed = registry.with_overrides({"ocr-detector": ModelOverride(sha256=SHA, path=Path("/mine.onnx"))})
    before, after = registry["ocr-detector"], changed["ocr-detector"]
    assert (after.source, after.sha256, after.size_bytes) == (LocalFile(Path("/mine.onnx")), SHA, None)
    assert after.licence.spdx == "LicenseRef-operator"
    assert (after.max_batch, after.warm_up_shapes) == (before.max_batch, before.warm_up_shapes)
    assert changed["ocr-recogniser"] == registry["ocr-recogniser"]
    with pytest.raises(DomainError):
        registry.with_overrides({"nope": ModelOverride(sha256=SHA, path=Path("/mine.onnx"))})


def test_an_override_is_read_from_one_word() -> None:
    assert ModelOverride.parse(f"/a/b.onnx#sha256={SHA}") == ModelOverride(sha256=SHA, path=Path("/a/b.onnx"))
    parsed = ModelOverride.parse(f"https://host/b.onnx?v=1#sha256={SHA}")
    assert parsed.source == RemoteFile("https://host/b.onnx?v=1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"sha256": SHA},
        {"sha256": SHA, "path": Path("/a"), "url": "https://host/a"},
        {"sha256": "12", "path": Path("/a")},
        {"sha256": SHA, "url": "ftp://host/a"},
    ],
)
def test_a_wrong_override_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DomainError) as caught:
        ModelOverride(**wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


def test_credentials_of_an_address_are_never_shown() -> None:
    assert str(RemoteFile("https://user:secret@host/m.onnx?token=secret")) == "https://host/m.onnx"
