"""What a publisher tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublisherStatistics:
    """A publisher in numbers: `published` = `acknowledged` + `errors` + all of `dropped` + `waiting`.

    Attributes:
        published: Events for which a `publish…` call returned.
        sent: Events written to a connection; those sent again count again.
        acknowledged: Events that the server has at the durability asked for.
        repeated: Those of them that were sent again although they had arrived.
        errors: Events that the server refused for good.
        dropped: Events given up, by reason: OLDEST and NEWEST where the buffer was full, CLOSED where the
            publisher was closed before they had an answer.
        waiting: Events that wait to be sent or acknowledged.
        waiting_bytes: Their encoded bytes.
        reconnects: Connections opened after the first.
    """

    published: int
    sent: int
    acknowledged: int
    repeated: int
    errors: int
    dropped: Mapping[str, int]
    waiting: int
    waiting_bytes: int
    reconnects: int
