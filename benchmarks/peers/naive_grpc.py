"""The bus as it is first written: grpc.aio, a queue per subscriber, every event serialised for each of them.

Speaks Vidence's own proto, keeps nothing, and loses nothing: a full queue holds the publisher back.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator

import grpc
from google.protobuf.duration_pb2 import Duration

from vidence.event.v1 import event_service_pb2 as pb
from vidence.event.v1 import event_service_pb2_grpc as pb_grpc
from vidence.stream.v1 import stream_control_pb2 as control

_QUEUE_EVENTS = 1000
_CONNECTED = control.Connected(connection_id="con_naive", heartbeat_period=Duration(seconds=30))


class NaiveEventService(pb_grpc.EventServiceServicer):
    """Subscribers are queues in a set."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[pb.SubscribeResponse]] = set()

    async def Subscribe(  # noqa: N802  # gRPC's name
        self, _request: pb.SubscribeRequest, _context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.SubscribeResponse]:
        """Yields what comes into this subscriber's queue."""
        queue: asyncio.Queue[pb.SubscribeResponse] = asyncio.Queue(_QUEUE_EVENTS)
        self._queues.add(queue)
        try:
            yield pb.SubscribeResponse(control=control.StreamControl(connected=_CONNECTED))
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)

    async def Publish(  # noqa: N802  # gRPC's name
        self, request: pb.PublishRequest, _context: grpc.aio.ServicerContext
    ) -> pb.PublishResponse:
        """Puts the events into all queues."""
        return pb.PublishResponse(results=await self._published(request.events))

    async def PublishStream(  # noqa: N802  # gRPC's name
        self, requests: AsyncIterator[pb.PublishStreamRequest], _context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.PublishStreamResponse]:
        """Answers each request when its events are in all queues."""
        yield pb.PublishStreamResponse(connected=_CONNECTED)
        async for request in requests:
            results = await self._published(request.events)
            yield pb.PublishStreamResponse(publish_results=pb.PublishResults(results=results))

    async def _published(self, events) -> list[pb.PublishResult]:
        for event in events:
            response = pb.SubscribeResponse(events=[event])
            for queue in tuple(self._queues):
                await queue.put(response)
        return [pb.PublishResult(id=event.id) for event in events]


async def main() -> None:
    """Serves until it is terminated; tells its port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    server = grpc.aio.server()
    pb_grpc.add_EventServiceServicer_to_server(NaiveEventService(), server)
    port = server.add_insecure_port(f"127.0.0.1:{parser.parse_args().port}")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
