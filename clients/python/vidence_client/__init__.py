"""Python SDK of Vidence.

Read a document live, in asynchronous code::

    import asyncio
    from pathlib import Path

    from vidence_client import Client

    async def main() -> None:
        async with Client("127.0.0.1:50051") as client:
            async with client.extraction.extract(Path("passport.jpg")) as stream:
                async for message in stream:
                    if message.HasField("extraction_field"):
                        field = message.extraction_field.field
                        print(field.key, field.value, field.confidence)

    asyncio.run(main())

The same in plain code::

    from pathlib import Path

    from vidence_client import sync

    with sync.Client("127.0.0.1:50051") as client:
        with client.extraction.extract(Path("passport.jpg")) as stream:
            for message in stream:
                print(message.WhichOneof("payload"))

Or in one answer::

    document = client.extraction.read(Path("passport.jpg")).document

Publish, from any kind of code, and subscribe::

    from vidence_client import Publisher

    with Publisher("127.0.0.1:50051", source="https://example.com/till/7") as publisher:
        publisher.publish("till.opened", subject="tills/7")

    async with Client("127.0.0.1:50051") as client:
        async with client.events.subscribe(types=["till.*"], from_start=True) as events:
            async for event in events:
                print(event.type, event.subject)

Failures are `VidenceError`: `reason` for machines, `message` for people, `retry_after_s` where trying again
helps.
"""

from vidence_client.channel import DEFAULT_ADDRESS, RetryPolicy
from vidence_client.client import Client
from vidence_client.credentials import Credentials
from vidence_client.cursors import is_after
from vidence_client.errors import ClientReason, FieldViolation, ServerUnreachable, VidenceError
from vidence_client.publishing import OnFull, Publisher, PublisherStatistics, make_event
from vidence_client.selection import Selection
from vidence_client.stream import Stream
from vidence_client.watch import Watch
from vidence_client.watch_shape import WatchStatistics

__all__ = [
    "DEFAULT_ADDRESS",
    "Client",
    "ClientReason",
    "Credentials",
    "FieldViolation",
    "OnFull",
    "Publisher",
    "PublisherStatistics",
    "RetryPolicy",
    "Selection",
    "ServerUnreachable",
    "Stream",
    "VidenceError",
    "Watch",
    "WatchStatistics",
    "is_after",
    "make_event",
]
