"""Probes of the library service, on two libraries of their own."""

from __future__ import annotations

import base64
from typing import Any

from vidence_cli.smoke.probe import Json, Kept, Probe, Unexpected, having
from vidence_cli.smoke.probes.erasure import nobody

_SERVICE = "vidence.library.v1.LibraryService"
_DOCUMENT = {"document_id": "one", "text": "a passport of a sailor"}
_SEARCH = {"query": "passport", "k": 2}
_FACE = {"model_name": "smoke", "model_version": "1", "values": [1.0, 0.0]}


def _name(kept: Kept) -> str:
    return f"smoke-{kept.run}"


def _library(kept: Kept) -> dict[str, Any]:
    return {"library_id": _name(kept)}


def _with(**more: object) -> Any:
    def request(kept: Kept) -> Json:
        return {**_library(kept), **more}

    return request


def _found(_kept: Kept, answer: Any) -> None:
    hits = answer.hits if "hits" in answer.DESCRIPTOR.fields_by_name else answer.search_hits.hits
    if not any(hit.document_id == "one" for hit in hits):
        raise Unexpected("the document was not found")


def _keep_query(kept: Kept, answer: Any) -> None:
    kept["query"] = answer.query_id


def _body(data: bytes) -> Json:
    return {"content_type": "application/x-ndjson", "data": base64.b64encode(data).decode()}


def _ndjson(kept: Kept) -> list[Json]:
    return [{**_library(kept), "content": _body(b'{"document_id": "three", "text": "a visa"}\n')}]


def _ended(message: Any) -> bool:
    return b"complete" in message.data


def _told_complete(_kept: Kept, answer: Any) -> None:
    if b"_complete" not in answer.data:
        raise Unexpected("the stream ended without its last line")


def _keep_export(kept: Kept, answer: Any) -> None:
    _told_complete(kept, answer)
    kept["export"] = base64.b64encode(answer.data).decode()


def _face_found(_kept: Kept, answer: Any) -> None:
    if [hit.subject_id for hit in answer.hits] != ["nobody"]:
        raise Unexpected("the face was not found")


_LIBRARIES = (
    Probe(f"{_SERVICE}/CreateLibrary", _with(display_name="Smoke test")),
    Probe(f"{_SERVICE}/GetLibrary", _library),
    Probe(f"{_SERVICE}/ListLibraries", lambda _kept: {"page_size": 1}),
    Probe(f"{_SERVICE}/UpdateLibrary", _with(display_name="Smoke test, renamed")),
)
_DOCUMENTS = (
    Probe(f"{_SERVICE}/CreateDocument", _with(document=_DOCUMENT)),
    Probe(f"{_SERVICE}/GetDocument", _with(document_id="one")),
    Probe(
        f"{_SERVICE}/UpdateDocument", _with(document={**_DOCUMENT, "metadata": {"year": {"number_value": 1}}})
    ),
    Probe(
        f"{_SERVICE}/IngestDocuments",
        lambda kept: [
            {"opening": _library(kept)},
            {"documents": {"documents": [{"document_id": "two", "text": "an invoice for apples"}]}},
        ],
        having("ingest_complete"),
    ),
    Probe(f"{_SERVICE}/IngestNdjson", _ndjson, _ended, _told_complete),
    Probe(f"{_SERVICE}/ListDocuments", _library),
)
_SEARCHES = (
    Probe(f"{_SERVICE}/SearchDocuments", _with(**_SEARCH), having("search_hits"), _found),
    Probe(f"{_SERVICE}/FindDocuments", _with(**_SEARCH), keep=_found),
    Probe(f"{_SERVICE}/OpenQuery", _with(search=_SEARCH), keep=_keep_query),
    Probe(f"{_SERVICE}/RefineQuery", lambda kept: {"query_id": kept["query"], "search": {**_SEARCH, "k": 1}}),
    Probe(f"{_SERVICE}/WatchQuery", lambda kept: {"query_id": kept["query"]}, having()),
    Probe(
        f"{_SERVICE}/QuerySession",
        lambda kept: [{"opening": {**_library(kept), "search": _SEARCH}}],
        having(),
        dialogue=True,
    ),
)
_WHOLE = (
    Probe(f"{_SERVICE}/ExportLibrary", _library, _ended, _keep_export),
    Probe(
        f"{_SERVICE}/ImportLibrary",
        lambda kept: [{**_library(kept), "content": {"data": kept["export"]}}],
        having("import_complete"),
    ),
    Probe(f"{_SERVICE}/WatchLibrary", _with(position="START_POSITION_EARLIEST"), having()),
    Probe(f"{_SERVICE}/ReembedLibrary", _library),
    Probe(f"{_SERVICE}/GetStatistics"),
)
_FACES = (
    Probe(f"{_SERVICE}/EnrollFace", _with(subject_id="nobody", template=_FACE)),
    Probe(f"{_SERVICE}/SearchFaces", _with(template=_FACE), keep=_face_found),
    Probe(f"{_SERVICE}/ListFaces", _library),
    Probe(f"{_SERVICE}/DeleteSubject", _with(subject_id="nobody")),
)
_END = (
    Probe(f"{_SERVICE}/DeleteDocument", _with(document_id="one")),
    Probe(f"{_SERVICE}/DeleteLibrary", _library),
)
PROBES = (
    *_LIBRARIES,
    *_DOCUMENTS,
    *_SEARCHES,
    *_WHOLE,
    *_FACES,
    Probe(f"{_SERVICE}/EraseSubject", nobody),
    *_END,
)
CLEAN_UP = (Probe(f"{_SERVICE}/DeleteLibrary", _library),)
