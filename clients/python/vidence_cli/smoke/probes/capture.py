"""Probes of the capture service: a session that is opened, shown a picture, and cancelled."""

from __future__ import annotations

from typing import Any

from vidence_cli.smoke.probe import Json, Kept, Probe, having
from vidence_cli.smoke.probes.erasure import nobody

_SERVICE = "vidence.capture.v1.CaptureService"
_NO_IMAGE = "img_019f0000-0000-7000-8000-000000000000"


def _session(kept: Kept) -> Json:
    return {"session_id": kept["session"]}


def _with_token(kept: Kept) -> Json:
    return {**_session(kept), "session_token": kept["session_token"]}


def _keep(kept: Kept, answer: Any) -> None:
    kept["session"] = answer.session.id
    kept["session_token"] = answer.session_token
    kept["watch_token"] = answer.watch_token


PROBES = (
    Probe(
        f"{_SERVICE}/CreateSession",
        lambda kept: {
            "plan": {"targets": ["TARGET_DOCUMENT_FRONT"], "reference": f"smoke-{kept.run}"},
            "ttl": "60s",
        },
        keep=_keep,
    ),
    Probe(
        f"{_SERVICE}/PushFrame",
        lambda kept: {**_with_token(kept), "frame": {"frame_number": 1, "encoded": kept.picture}},
    ),
    Probe(
        f"{_SERVICE}/PushFrames",
        lambda kept: [
            {"opening": _with_token(kept)},
            {"frame": {"frame_number": 2, "encoded": kept.picture}},
        ],
    ),
    Probe(
        f"{_SERVICE}/WatchSession",
        lambda kept: {
            **_session(kept),
            "session_token": kept["watch_token"],
            "position": "START_POSITION_EARLIEST",
        },
        having(),
    ),
    Probe(f"{_SERVICE}/WatchSessions", lambda _kept: {"position": "START_POSITION_EARLIEST"}, having()),
    Probe(f"{_SERVICE}/GetSession", _session),
    Probe(f"{_SERVICE}/GetSessionEvidence", _session),
    Probe(
        f"{_SERVICE}/ListSessions",
        lambda kept: {"reference": f"smoke-{kept.run}"},
    ),
    Probe(f"{_SERVICE}/GetStreamStatistics"),
    Probe(
        f"{_SERVICE}/GetImage",
        lambda _kept: {"image_id": _NO_IMAGE},
        having("image_complete"),
        refusal="IMAGE_NOT_FOUND",
    ),
    # Nothing was captured that could be confirmed.
    Probe(f"{_SERVICE}/ConfirmCapture", _with_token, refusal="TRANSITION_REFUSED"),
    Probe(f"{_SERVICE}/CancelSession", _with_token),
    Probe(f"{_SERVICE}/EraseSubject", nobody),
)
CLEAN_UP = (Probe(f"{_SERVICE}/CancelSession", _with_token),)
