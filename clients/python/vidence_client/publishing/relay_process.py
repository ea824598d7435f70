"""The process that uses gRPC for one that cannot; see `vidence_client.publishing.relay`."""

from __future__ import annotations

import asyncio
import socket
import sys

from google.rpc import error_details_pb2, status_pb2

from vidence_client.errors import VidenceError
from vidence_client.publishing.connection import GrpcConnection, GrpcLine
from vidence_client.publishing.relay import Kind, Pipe

_LAST_ANSWERS_S = 10.0  # how long a relay whose owner is gone waits for the answers to what it sent


class Relay:
    """The other side: one connection after another for the process at the other end."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._connection: GrpcConnection | None = None
        self._answers: asyncio.Task[None] | None = None
        self._number = 0

    async def run(self) -> None:
        """Serves until the other side is gone; then what was sent gets the time to arrive."""
        while (frame := await self._pipe.read()) is not None:
            kind, number, content = frame
            if kind is Kind.OPEN:
                await self._close()
                self._number = number
                self._connection = await GrpcLine(content.decode()).connect()
                self._answers = asyncio.create_task(self._pass_answers(self._connection, number))
            elif self._connection is not None and number == self._number:
                await self._pass(kind, content, self._connection)
        if self._connection is not None and self._answers is not None:
            await self._connection.finish()
            await asyncio.wait([self._answers], timeout=_LAST_ANSWERS_S)
        await self._close()

    async def _pass(self, kind: Kind, content: bytes, connection: GrpcConnection) -> None:
        if kind is Kind.REQUEST:
            await connection.send(content)
        elif kind is Kind.FINISH:
            await connection.finish()
        else:
            await self._close()

    async def _pass_answers(self, connection: GrpcConnection, number: int) -> None:
        try:
            while (answer := await connection.receive()) is not None:
                await self._pipe.write(Kind.ANSWER, number, answer)
            await self._pipe.write(Kind.COMPLETE, number)
        except VidenceError as error:
            await self._pipe.write(Kind.FAILED, number, _status_of(error).SerializeToString())

    async def _close(self) -> None:
        if self._answers is not None:
            self._answers.cancel()
            await asyncio.wait([self._answers])
        if self._connection is not None:
            await self._connection.close()
        self._connection = self._answers = None


def _status_of(error: VidenceError) -> status_pb2.Status:
    """Makes the status from which `VidenceError.from_status` makes the error again."""
    status = status_pb2.Status(code=error.code.value[0], message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain="vidence", metadata=error.metadata)
    status.details.add().Pack(info)
    if error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(error.retry_after_s * 1e9))
        status.details.add().Pack(retry)
    return status


async def _main() -> None:
    pipe = await Pipe.over(socket.socket(fileno=int(sys.argv[1])))
    await Relay(pipe).run()
    await pipe.close()


if __name__ == "__main__":
    asyncio.run(_main())
