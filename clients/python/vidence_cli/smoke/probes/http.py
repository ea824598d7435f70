"""The lines of the HTTP table, and the aliases of older clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidence_cli.smoke.http import HttpProbe
from vidence_cli.smoke.probe import Kept, Unexpected

_TYPE = "smoke.http"
_WATCHED = "?session_token={watch_token}&position=START_POSITION_EARLIEST"


def _batch(kept: Kept) -> Mapping[str, Any]:
    return {"images": [{"content": kept.picture, "file_name": "smoke.png", "document_type": "text"}]}


def _serving(_kept: Kept, answer: Any) -> None:
    if set(answer) != {"status", "version", "services"} or answer["status"] != "ok":
        raise Unexpected(f"the status is {answer.get('status')}")


def _published(kept: Kept, answer: Any) -> None:
    kept["cursor"] = answer["results"][0]["cursor"]


def _session(kept: Kept, answer: Any) -> None:
    kept["session"] = answer["session"]["id"]
    kept["watch_token"] = answer["watch_token"]


_EVENTS = (
    HttpProbe(
        "POST",
        "/v1/events:publish",
        "event",
        lambda kept: {"events": [{"source": f"vidence-smoke/{kept.run}", "type": _TYPE}]},
        look=_published,
    ),
    HttpProbe("GET", f"/v1/events?filter.types={_TYPE}&page_size=1", "event"),
    HttpProbe("GET", "/v1/events/{cursor}", "event"),
    HttpProbe(
        "GET",
        f"/v1/events/stream?filter.types={_TYPE}&position=START_POSITION_EARLIEST",
        "event",
        streams=True,
    ),
    HttpProbe("GET", "/v1/events/statistics", "event"),
)
_LIBRARIES = (
    HttpProbe("POST", "/v1/libraries", "library", lambda kept: {"library_id": f"smoke-http-{kept.run}"}),
    HttpProbe(
        "POST",
        "/v1/libraries/{library}/documents/stream",
        "library",
        lambda _kept: [{"document_id": "one", "text": "a passport of a sailor"}],
        streams=True,
    ),
    HttpProbe("GET", "/v1/libraries/{library}/documents/stream", "library", streams=True),
    HttpProbe("POST", "/v1/libraries/{library}/search/stream?query=passport&k=1", "library", streams=True),
)
_BATCHES = tuple(
    HttpProbe("POST", path, "batch", _batch, streams=streams)
    for path, streams in (
        ("/v1/batches:process", False),
        ("/v1/batches:processStream", True),
        ("/api/process-batch", False),
        ("/api/process-batch-stream", True),
    )
)
_SESSIONS = (
    HttpProbe(
        "POST",
        "/v1/sessions",
        "capture",
        lambda _kept: {"plan": {"targets": ["TARGET_DOCUMENT_FRONT"]}, "ttl": "60s"},
        look=_session,
    ),
    HttpProbe("GET", "/v1/sessions/{session}/stream" + _WATCHED, "capture", streams=True),
    HttpProbe("GET", "/face/stream/{session}" + _WATCHED, "capture", streams=True),
    HttpProbe("GET", "/face/stream/stats", "capture"),
)
HTTP_PROBES = (
    HttpProbe("GET", "/health", "http", look=_serving),
    *_EVENTS,
    *_LIBRARIES,
    *_BATCHES,
    *_SESSIONS,
)
HTTP_CLEAN_UP = (
    HttpProbe("DELETE", "/v1/libraries/{library}", "library"),
    HttpProbe("POST", "/v1/sessions/{session}:cancel", "capture", lambda _kept: {}),
)
