"""Probes of the event service."""

from __future__ import annotations

from typing import Any

from vidence_cli.smoke.probe import Json, Kept, Probe, Unexpected, having

_SERVICE = "vidence.event.v1.EventService"
_TYPE = "smoke.probe"


def _source(kept: Kept) -> str:
    return f"vidence-smoke/{kept.run}"


def _event(kept: Kept, name: str) -> Json:
    return {"source": _source(kept), "type": _TYPE, "id": name}


def _filter(kept: Kept) -> Json:
    return {"types": [_TYPE], "sources": [_source(kept)]}


def _published(kept: Kept, answer: Any) -> None:
    if len(answer.results) != 1 or not answer.results[0].cursor:
        raise Unexpected("the event has no cursor")
    kept["cursor"] = answer.results[0].cursor


def _same(kept: Kept, answer: Any) -> None:
    if answer.event.cursor != kept["cursor"]:
        raise Unexpected("another event came")


def _listed(kept: Kept, answer: Any) -> None:
    if not any(event.cursor == kept["cursor"] for event in answer.events):
        raise Unexpected("the event that was published is not listed")


PROBES = (
    Probe(f"{_SERVICE}/Publish", lambda kept: {"events": [_event(kept, "unary")]}, keep=_published),
    Probe(f"{_SERVICE}/GetEvent", lambda kept: {"cursor": kept["cursor"]}, keep=_same),
    Probe(f"{_SERVICE}/ListEvents", lambda kept: {"filter": _filter(kept)}, keep=_listed),
    Probe(
        f"{_SERVICE}/Subscribe",
        lambda kept: {"filter": _filter(kept), "position": "START_POSITION_EARLIEST"},
        having(),
        _listed,
    ),
    Probe(
        f"{_SERVICE}/PublishStream",
        lambda kept: [{"events": [_event(kept, "stream")]}],
        having("publish_complete"),
    ),
    Probe(f"{_SERVICE}/GetStatistics"),
    Probe(f"{_SERVICE}/WatchStatistics", enough=having()),
    Probe(
        f"{_SERVICE}/OpenSession",
        lambda kept: [
            {
                "opening": {
                    "subscription": {"filter": _filter(kept), "position": "START_POSITION_EARLIEST"},
                    "initial_credit": 10,
                }
            }
        ],
        having(),
        dialogue=True,
    ),
)
