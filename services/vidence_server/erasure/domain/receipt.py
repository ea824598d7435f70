"""The receipt of a purge: what an operator keeps, and can show that nobody changed it."""

from __future__ import annotations

from typing import Any

from vidence_server.core.canonical import canonical, canonical_hash
from vidence_server.erasure.domain.purge import Purge, ServicePart

FORMAT = "vidence.erasure-receipt/1"
BEYOND_REACH = (
    ("backups", "Backups, disk snapshots and library exports made before keep what they hold."),
    (
        "bus",
        "Events on the bus and entries of change logs hold ids, no contents, until their retention ends.",
    ),
    (
        "monitor_names",
        "Events person.identified of a monitor name who was recognised, until their retention ends.",
    ),
    (
        "monitor_snapshots",
        "Faces that a monitor kept but did not recognise, or whose folder capture lacks, until they expire.",
    ),
    (
        "postgresql",
        "With PostgreSQL: its log, old snapshots, pages until they are vacuumed, statistics until ANALYZE.",
    ),
    ("disk", "Freed blocks of files that were deleted are overwritten by the file system when it likes."),
    ("event_reviews", "Reviews of single events of the bus are not found by subject."),
    ("unnamed", "What was stored without this subject id, and what other systems were given."),
    ("receipt", "This receipt: it has the digest of the subject id, not the id."),
)
"""What no purge reaches; said in every receipt."""


def receipt_of(purge: Purge) -> tuple[str, str]:
    """The receipt as canonical JSON, and its hash: SHA-256 over the canonical JSON of all but `hash`."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "purge_id": purge.id,
        "tenant": purge.tenant,
        "request_id": purge.request_id,
        "subject_digest": purge.subject_digest,
        "state": purge.state.value,
        "create_time": purge.create_time.isoformat(),
        "complete_time": purge.complete_time.isoformat() if purge.complete_time else "",
        "attempts": purge.attempts,
        "services": [_part(part) for part in purge.parts],
        "beyond_reach": [{"what": what, "why": why} for what, why in BEYOND_REACH],
    }
    hashed = canonical_hash(content)
    return canonical({**content, "hash": hashed}), hashed


def _part(part: ServicePart) -> dict[str, Any]:
    return {
        "service": part.service,
        "done": part.done,
        "reason": part.reason,
        "kinds": {
            kind.kind: {"found": kind.found, "erased": kind.erased, "failed": kind.failed}
            for kind in part.kinds
        },
    }
