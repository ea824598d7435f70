"""A library in a process of its own: killed in the middle of its work, used by the command and the SDK."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes.library_process import LibraryProcess, library_process
from vidence.library.v1 import face_pb2, library_pb2, library_service_pb2, search_pb2
from vidence_cli.exit_codes import ExitCode
from vidence_cli.main import CommandGroup
from vidence_client import VidenceError, sync
from vidence_client.library_values import make_document, make_search, make_vector, metadata_of, where

ENTRY_POINT = EntryPoint("library", "vidence_cli.library.commands:library", "vidence.commands")
PROGRAM = CommandGroup(name="vidence", find_commands=lambda: [ENTRY_POINT])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[LibraryProcess]:
    with library_process(tmp_path / "data") as process:
        yield process


def run(served: LibraryProcess, *arguments: object, stdin: str | None = None) -> Result:
    words = ["library", *map(str, arguments), "--server", served.address]
    return CliRunner().invoke(PROGRAM, words, input=stdin)


def lines_of(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@dataclass
class Ingested:
    """What a server took until it was gone."""

    acknowledged: list[str] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    """Set when some hundreds are acknowledged."""


def numbered(number: int) -> library_pb2.Document:
    return make_document(f"d{number:06}", f"text number {number}", {"n": number})


def ingest(address: str, sent: Ingested) -> None:
    """Sends documents for as long as the server is there."""
    with sync.Client(address) as client:
        try:
            for message in client.libraries.transfer.ingest("books", map(numbered, itertools.count())):
                for result in message.ingest_results.results:
                    assert not result.HasField("error")
                    sent.acknowledged.append(result.document_id)
                if len(sent.acknowledged) > 500:
                    sent.begun.set()
        except VidenceError:
            pass


@pytest.mark.requirement("R-LI1")
def test_a_killed_server_has_lost_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    sent = Ingested()
    with library_process(tmp_path) as first:
        with sync.Client(first.address) as client:
            client.libraries.create("books")
            client.libraries.find("books", make_search("text"))  # the index is in memory
        sending = threading.Thread(target=ingest, args=(first.address, sent))
        sending.start()
        assert sent.begun.wait(60)
        time.sleep(0.2)  # into the middle of whatever it does
        first.kill()
        sending.join(60)
    with library_process(tmp_path) as second, sync.Client(second.address) as client:
        library = client.libraries.get("books")
        kept = [document.document_id for document in client.libraries.list_documents("books")]
        assert len(kept) == library.document_count
        assert set(sent.acknowledged) <= set(kept)
        assert kept == [f"d{number:06}" for number in range(len(kept))]  # no hole, none twice
        hits = [
            hit.document_id
            for message in client.libraries.search("books", make_search("text", k=100_000))
            for hit in message.search_hits.hits
        ]
        assert sorted(hits) == kept  # the index is as the rows
        revisions = [event.sequence for event in _first(client, library.revision)]
        assert revisions == list(range(1, library.revision + 1))
        again = client.libraries.transfer.ingest("books", map(numbered, range(len(kept))))
        (complete,) = [each.ingest_complete for each in again if each.HasField("ingest_complete")]
        assert (complete.duplicate_count, complete.created_count) == (len(kept), 0)


def _first(client: sync.Client, count: int) -> list[library_service_pb2.LibraryEvent]:
    events = []
    with client.libraries.watch("books") as watch:
        for event in watch:
            events.append(event)
            if len(events) == count:
                break
    return events


@pytest.mark.requirement("R-LI1")
def test_the_command_moves_a_collection_in_and_out(served: LibraryProcess, tmp_path: Path) -> None:
    assert lines_of(run(served, "create", "books", "--name", "Books"))[0]["library_id"] == "books"
    rows = [
        {"document_id": f"d{n}", "text": f"apple {n}", "metadata": {"n": n, "lang": "en"}} for n in range(300)
    ]
    source = tmp_path / "source.ndjson"
    source.write_text("\n".join(map(json.dumps, rows)) + "\n{\n")
    result = run(served, "ingest", "books", source)
    assert result.exit_code == ExitCode.FAILED
    refused, totals = lines_of(result)
    assert refused["line"] == "301"
    assert (totals["created_count"], totals["error_count"]) == ("300", "1")
    again = run(served, "ingest", "books", "-", "--all", stdin="\n".join(map(json.dumps, rows)))
    assert again.exit_code == ExitCode.FINE
    assert len(lines_of(again)) == 301
    changed = json.dumps(rows[0] | {"text": "pear"})
    assert run(served, "ingest", "books", "-", "--keep-existing", stdin=changed).exit_code == ExitCode.FAILED

    exported = tmp_path / "books.ndjson"
    assert run(served, "export", "books", "-o", exported).exit_code == ExitCode.FINE
    assert not list(tmp_path.glob("*.part"))
    run(served, "create", "copy")
    imported = run(served, "import", "copy", exported)
    assert imported.exit_code == ExitCode.FINE, imported.output
    assert lines_of(imported)[-1]["document_count"] == "300"
    end = json.loads(exported.read_text().splitlines()[-1])["export_complete"]
    assert lines_of(imported)[-1]["checksum"] == end["checksum"]
    cut = tmp_path / "cut.ndjson"
    cut.write_text("\n".join(exported.read_text().splitlines()[:-1]))
    failed = run(served, "import", "copy", cut)
    assert failed.exit_code == ExitCode.FAILED
    assert "no end" in failed.output

    assert [line["library_id"] for line in lines_of(run(served, "list"))] == ["books", "copy"]
    assert lines_of(run(served, "get", "copy"))[0]["document_count"] == "300"
    assert run(served, "delete", "copy", "--yes").exit_code == ExitCode.FINE
    assert run(served, "get", "copy").exit_code == ExitCode.FAILED


@pytest.mark.requirement("R-LI2")
def test_the_command_searches_and_watches(served: LibraryProcess) -> None:
    run(served, "create", "books")
    rows = [{"document_id": f"d{n}", "text": f"apple {n}", "metadata": {"n": n}} for n in range(20)]
    run(served, "ingest", "books", "-", stdin="\n".join(map(json.dumps, rows)))
    found = lines_of(run(served, "search", "books", "apple", "-k", 50, "--where", "n>=5", "--where", "n<8"))
    hits = [hit for line in found for hit in line.get("search_hits", {}).get("hits", [])]  # type: ignore[attr-defined]  # JSON
    assert {hit["document_id"] for hit in hits} == {"d5", "d6", "d7"}
    assert run(served, "search", "books", "apple", "--where", "=5").exit_code == ExitCode.USAGE
    changes = lines_of(run(served, "watch", "books", "--after-revision", 18, "-n", 3))
    assert [change["sequence"] for change in changes] == ["19", "20", "21"]
    both = run(served, "watch", "books", "--after-revision", 18, "--new")
    assert both.exit_code == ExitCode.USAGE


@pytest.mark.requirement("R-LI6")
def test_the_command_keeps_and_finds_faces(served: LibraryProcess, tmp_path: Path) -> None:
    run(served, "create", "people")
    template = tmp_path / "face.json"
    template.write_text(json.dumps({"model_name": "m", "model_version": "1", "values": [1, 2, 3]}))
    assert run(served, "faces", "enroll", "people", "anna", template).exit_code == ExitCode.FINE
    (found,) = lines_of(run(served, "faces", "search", "people", template))
    assert found["hits"][0]["subject_id"] == "anna"  # type: ignore[index]  # JSON
    assert lines_of(run(served, "faces", "list", "people"))[0]["subject_id"] == "anna"
    assert lines_of(run(served, "faces", "delete", "people", "anna")) == [{"face_count": "1"}]
    template.write_text("no json")
    assert run(served, "faces", "search", "people", template).exit_code == ExitCode.USAGE
    picture = tmp_path / "face.jpg"
    picture.write_bytes(b"x")
    assert "EMBEDDING_UNAVAILABLE" in run(served, "faces", "search", "people", picture).output


@pytest.mark.requirement("R-LI1")
def test_plain_code_has_everything_too(served: LibraryProcess) -> None:
    with sync.Client(served.address) as client:
        libraries = client.libraries
        libraries.create("books", display_name="Books", model_id="own@1", dimensions=2)
        assert [each.library_id for each in libraries.list()] == ["books"]
        assert libraries.update("books", display_name="Papers").display_name == "Papers"
        document = make_document("a", "red", {"n": 1, "new": True}, vector=make_vector("own@1", [1, 0]))
        assert libraries.create_document("books", document).document.version == 1
        document.text = "blue"
        assert libraries.update_document("books", document, if_version=1).document.version == 2
        got = libraries.get_document("books", "a", include_vector=True)
        assert metadata_of(got) == {"n": 1.0, "new": True}
        assert got.vector.model_id == "own@1"
        libraries.create_document(
            "books", make_document("b", "x", {"n": 2}, vector=make_vector("own@1", [0, 1]))
        )
        wanted = make_search(vector=make_vector("own@1", [1, 0]), filter=where(n=1), include_metadata=True)
        assert [hit.document_id for hit in libraries.find("books", wanted)] == ["a"]
        assert [
            each.document_id for each in libraries.list_documents("books", filter=where(n=1, new=True))
        ] == ["a"]
        words = make_search("blue", mode=search_pb2.SEARCH_MODE_LEXICAL)
        query = libraries.open_query("books", words, idle_s=30)
        with libraries.watch_query(query) as watch:
            assert [hit.document_id for hit in next(watch).query_results.hits] == ["a"]
            assert libraries.refine_query(query, make_search("x", mode=search_pb2.SEARCH_MODE_LEXICAL)) == 2
            assert [hit.document_id for hit in next(watch).query_results.hits] == ["b"]
        template = face_pb2.FaceTemplate(model_name="m", model_version="1", values=[1, 2])
        assert not libraries.faces.enroll("books", "anna", template, face_id="f").repeated
        assert libraries.faces.search("books", template).hits[0].face_id == "f"
        assert [face.face_id for face in libraries.faces.list("books")] == ["f"]
        assert libraries.faces.delete_subject("books", "anna") == 1
        exported = list(libraries.transfer.export("books", omit_vectors=False))
        libraries.create("copy", model_id="own@1", dimensions=2)
        steps = list(libraries.transfer.import_("copy", exported))
        assert steps[-1].import_complete.document_count == 2
        lines = list(libraries.transfer.ingest_lines("copy", [b'{"document_id": "a"', b"}\n"]))
        assert lines[0]["result"]["error"]["details"][0]["reason"] == "EMBEDDING_UNAVAILABLE"
        assert libraries.delete_document("books", "a") > 0
        assert libraries.statistics().library_count == 2
        with pytest.raises(VidenceError) as refused:
            libraries.reembed("books", "none@1")
        assert refused.value.reason == "EMBEDDING_UNAVAILABLE"
        assert libraries.delete("books").document_count == 1


@pytest.mark.requirement("R-LI3")
def test_an_export_goes_on_when_its_server_is_killed(tmp_path: Path) -> None:
    """The second server listens where the first one did; the SDK resumes after the last checkpoint."""
    with library_process(tmp_path) as first, sync.Client(first.address) as client:
        client.libraries.create("books")
        rows = (make_document(f"d{n:05}", f"text {n}") for n in range(1200))
        assert list(client.libraries.transfer.ingest("books", rows))[-1].ingest_complete.created_count == 1200
        whole = list(client.libraries.transfer.export("books"))
        some = client.libraries.transfer.export("books")
        held = [next(some) for _ in range(300)]
        first.kill()
        with library_process(tmp_path, address=first.address) as second:
            assert second.address == first.address
            client.libraries.create_document("books", make_document("later", "later"))
            rest = list(some)
        assert held[1:] + rest == whole[1:]
