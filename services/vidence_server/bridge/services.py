"""The one table of services: everything that HTTP and Envoy offer follows from it and from the protos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service as `vidence serve NAME` starts it."""

    name: str
    packages: tuple[str, ...]
    """Proto packages: the process offers every gRPC service in them."""
    sticky: bool = False
    """Whether calls about one session must reach one replica."""
    inside: tuple[str, ...] = ()
    """gRPC services of those packages that are for the suite's own processes: no door leads to them."""


SERVICES = (
    ServiceLine("event", ("vidence.event.v1",)),
    ServiceLine("extraction", ("vidence.extraction.v1",)),
    ServiceLine("capture", ("vidence.capture.v1",), sticky=True),
    ServiceLine(
        "batch",
        ("vidence.batch.v1", "vidence.job.v1"),
        # Whoever leases an item gets its image: workers dial the service itself.
        inside=("vidence.job.v1.WorkerService",),
    ),
    ServiceLine("library", ("vidence.library.v1",)),
    ServiceLine("face", ("vidence.face.v1",)),
    ServiceLine("review", ("vidence.review.v1", "vidence.erasure.v1")),
)
"""A service whose packages have no protos is not there: nothing is offered for it."""

ALIASES: Mapping[str, str] = {
    "/face/stream/stats": "/v1/sessions:statistics",
    "/face/stream/{id}": "/v1/sessions/{id}/stream",
    "/api/process-batch": "/v1/batches:process",
    "/api/process-batch-stream": "/v1/batches:processStream",
}
"""Paths that older clients know, and what they mean; the first that fits counts."""

SOCKETS: Mapping[str, str] = {
    "/ws/events": "/v1/events/stream",
    "/ws/sessions/{id}": "/v1/sessions/{id}/stream",
}
"""Paths of WebSockets, and the watch stream that each one carries."""
