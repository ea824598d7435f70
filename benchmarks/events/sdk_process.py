"""Publishes a burst of events with the SDK from a plain function; tells as JSON how long that took.

`call_s`: seconds of all calls together, `flush_s`: from the first call until every event was acknowledged.
"""

from __future__ import annotations

import argparse
import json
import time

from vidence.event.v1 import event_pb2
from vidence_client.publishing import OnFull, Publisher

_TYPE = "load.sent"
_CONTENT = b"x" * 141
_CONTENT_TYPE = "text/plain"
_WARM_UP = 2000
_FLUSH_S = 120.0


def _publish(publisher: Publisher, kind: str, events: int) -> float:
    """Seconds that the calls took."""
    opaque = event_pb2.OpaqueData(content_type=_CONTENT_TYPE, content=_CONTENT)
    encoded = event_pb2.Event(type=_TYPE, opaque=opaque).SerializeToString()
    start = time.perf_counter()
    if kind == "encoded":
        for _ in range(events):
            publisher.publish_encoded(encoded)
    else:
        for _ in range(events):
            publisher.publish(_TYPE, content=_CONTENT, content_type=_CONTENT_TYPE)
    return time.perf_counter() - start


def main() -> None:
    """Measures once, with a buffer that holds the whole burst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--kind", choices=("encoded", "built"), required=True)
    parser.add_argument("--events", type=int, required=True)
    options = parser.parse_args()
    with Publisher(
        options.address,
        source="bench/sdk",
        buffer_events=options.events + _WARM_UP,
        buffer_bytes=512 * (options.events + _WARM_UP),
        on_full=OnFull.RAISE,
    ) as publisher:
        _publish(publisher, options.kind, _WARM_UP)
        assert publisher.flush(_FLUSH_S), "the server does not answer"
        start = time.perf_counter()
        call_s = _publish(publisher, options.kind, options.events)
        assert publisher.flush(_FLUSH_S), "the server does not answer"
        flush_s = time.perf_counter() - start
        counted = publisher.statistics()
    assert counted.acknowledged == options.events + _WARM_UP, counted
    print(json.dumps({"events": options.events, "call_s": call_s, "flush_s": flush_s}))


if __name__ == "__main__":
    main()
