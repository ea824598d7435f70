"""Each RPC is looked at for what it tells another tenant: a new one fails here until somebody has."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor import MethodDescriptor

from e2e.test_access_tenants import LISTS, OPTIONAL, about_subjects
from fakes.access import all_methods
from vidence_server.runtime.access_rules import rule_of

E2E = Path(__file__).resolve().parents[1] / "e2e"
SEEN_ELSEWHERE = {
    "EraseSubject": "test_purge_tenants.py",
    "PurgeSubject": "test_purge_tenants.py",
    "GetPurge": "test_purge_tenants.py",
    **dict.fromkeys(
        ("GetImage", "WatchSessions", "RequeueDeadLetters", "ListReviews", "GetReview", "WatchReview"),
        "test_access_tenants_images.py",
    ),
    **dict.fromkeys(
        (
            "ClaimReview",
            "ReleaseReview",
            "SetVerdict",
            "DeleteReview",
            "AddNote",
            "AttendReview",
            "LeaveReview",
        ),
        "test_access_tenants_images.py",
    ),
}
"""RPCs that have a test in another file, and which."""
HERE = {
    *("Publish", "PublishStream", "Subscribe", "OpenSession", "GetEvent"),
    *("GetStatistics", "WatchStatistics", "GetStreamStatistics", "GetQueueStatistics"),
    *("CreateSession", "CreateBatch", "SubmitJob", "CreateLibrary"),
}
"""RPCs of `test_access_tenants.py` that are not about something with an id."""
NOTHING_KEPT = {
    *("ReadDocument", "ExtractDocument", "ListDocumentTypes", "ListThresholds"),
    *("DetectFaces", "AssessQuality", "CompareFaces", "CheckLiveness", "EmbedFaces"),
}
"""RPCs that answer from their request, or tell everybody the same."""


@pytest.mark.requirement("R-OP5", "R-ST8")
def test_every_rpc_is_looked_at_for_what_it_tells_another_tenant() -> None:
    """A new one is about something with an id, or stands in a list above, with its test."""
    suite_wide = {one.name for one in all_methods() if is_suite_wide(one)}
    looked_at = (
        {one.name for one in about_subjects()} | SEEN_ELSEWHERE.keys() | HERE | set(LISTS) | NOTHING_KEPT
    )
    assert {one.name for one in all_methods()} - suite_wide - OPTIONAL == looked_at - OPTIONAL
    for name, file in SEEN_ELSEWHERE.items():
        # Erasure is asked for by a command there.
        word = "purge" if name in {"EraseSubject", "PurgeSubject", "GetPurge"} else name
        assert word in (E2E / file).read_text(encoding="utf-8"), name


def is_suite_wide(method: MethodDescriptor) -> bool:
    """Whether it takes a credential of all tenants."""
    rule = rule_of(method.containing_service.full_name, method.name)
    return rule is not None and rule.all_tenants
