"""The registry: what ships is complete, what is wrong is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidence_server.core.errors import DomainError, Reason
from vidence_server.extraction.profiles import PROFILES, models_of
from vidence_server.inference.builds import Build, CheckInput
from vidence_server.inference.registry import (
    ONNX,
    ArchiveMember,
    LocalFile,
    ModelOverride,
    NpmPackage,
    RemoteFile,
    load_registry,
    parse_registry,
)
from vidence_server.vision.faces.profile import FACE_MODELS

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
    names = [spec.name for spec in registry]
    assert names[:2] == ["ocr-detector", "ocr-recogniser"]
    assert {*models_of(PROFILES), "ocr-direction"} <= {*names}
    assert {*FACE_MODELS} <= {*names}
    assert len(registry) == len(names)
    for spec in registry:
        assert spec.licence.spdx in PERMISSIVE
        assert all((spec.title, spec.licence.origin, spec.size_bytes))
        assert isinstance(spec.source, ArchiveMember)
        assert (spec.build is None) == (not spec.checks)
        if spec.format == ONNX:
            assert all((spec.inputs, spec.outputs, spec.preprocessing))
            assert spec.max_batch >= 1
            assert spec.warm_up_shapes


def test_a_file_that_is_no_graph_needs_no_words_about_inputs() -> None:
    text = TEMPLATE.partition("inputs =")[0] + 'format = "json"\n'
    spec = parse_registry(text)["m"]
    assert (spec.format, spec.inputs, spec.warm_up_shapes) == ("json", (), ())
    with pytest.raises(DomainError, match="inputs"):
        parse_registry(text.replace('format = "json"', ""))


def test_a_build_and_its_checks_are_read() -> None:
    build = """
build = { kind = "fold-dequantize", dynamic = { x = [0] } }
checks = [
  { inputs = { x = { shape = [1, 2], spread = [0, 9] } }, output = "y", expected = [1], tolerance = 0.1 },
  { inputs = { x = { values = [[1, 2]] } }, output = "y", expected = [0], tolerance = 0 },
]
"""
    spec = parse_registry(TEMPLATE + build)["m"]
    assert spec.build == Build("fold-dequantize", {"dynamic": {"x": [0]}})
    filled, literal = spec.checks
    assert filled.inputs["x"] == CheckInput(shape=(1, 2), spread=(0.0, 9.0), dtype="float32")
    assert (filled.expected, filled.tolerance) == ((1.0,), 0.1)
    assert literal.inputs["x"] == CheckInput(values=[[1, 2]], dtype="int64")
    with pytest.raises(DomainError, match="an input of a check"):
        parse_registry(TEMPLATE + build.replace("values", "numbers"))


def test_another_build_of_the_same_source_is_another_file() -> None:
    keys = {Build("k", {}).key, Build("k", {"revision": 2}).key, Build("l", {}).key}
    assert len(keys) == 3
    assert Build("k", {"a": 1, "b": 2}).key == Build("k", {"b": 2, "a": 1}).key


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


@pytest.mark.requirement("R-FA1")
def test_an_override_of_a_built_model_is_used_as_it_is() -> None:
    before = load_registry()["face-embedder"]
    override = ModelOverride(sha256=SHA, path=Path("/mine.onnx"))
    after = load_registry().with_overrides({"face-embedder": override})["face-embedder"]
    assert before.build is not None
    assert (after.build, after.checks, after.max_batch) == (None, (), before.max_batch)


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
