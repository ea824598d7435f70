"""One gRPC interceptor that lays the purposes around each method once, however often it is called."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from vidence_server.core.spent_errors import release
from vidence_server.runtime.rpc import Method, current_rpc
from vidence_server.runtime.status import REQUEST_ID_KEY

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Behaviour: TypeAlias = Callable[[Any, Context], Awaitable[Any]]
"""Answers one call: takes the request (or the iterator of requests) and returns the response, or None after
it has written a stream of responses itself. Always an `async def`: gRPC looks at that."""


class Undecodable:
    """Stands for a request whose bytes are not the message they should be."""


class Interceptor(Protocol):
    """One purpose."""

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        """The behaviour of a method with this purpose around it; called once per method."""
        ...


class InterceptorChain(grpc.aio.ServerInterceptor):
    """Applies interceptors, the first one outermost."""

    def __init__(self, interceptors: Sequence[Interceptor]) -> None:
        self._interceptors = tuple(interceptors)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}  # bound: one entry per method served

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The wrapped method; None where no service has it, which gRPC answers with UNIMPLEMENTED."""
        path = handler_call_details.method
        known = self._handlers.get(path)
        if known is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            known = self._handlers[path] = self._wrapped(path, handler)
        return known

    def _wrapped(
        self, path: str, handler: grpc.RpcMethodHandler[Any, Any]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        method = Method.of_path(
            path, request_streaming=handler.request_streaming, response_streaming=handler.response_streaming
        )
        behaviour = _behaviour(handler)
        for interceptor in reversed(self._interceptors):
            behaviour = interceptor.wrap(method, behaviour)
        behaviour = _without_frames(behaviour)
        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[method.request_streaming, method.response_streaming]
        return make(
            behaviour,
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=_ready_or(handler.response_serializer),
        )


def _behaviour(handler: grpc.RpcMethodHandler[Any, Any]) -> Behaviour:
    inner: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream

    async def answer(request: Any, context: Context) -> Any:
        return await inner(request, context)

    async def stream(request: Any, context: Context) -> None:
        responses = inner(request, context)
        if inspect.isawaitable(responses):
            await responses  # it writes through the context itself
        else:
            await _write_all(responses, context)

    return stream if handler.response_streaming else answer


def _without_frames(behaviour: Behaviour) -> Behaviour:
    """Ends an aborted call without what its functions hold: gRPC keeps the error with the call."""

    async def outermost(request: Any, context: Context) -> Any:
        try:
            return await behaviour(request, context)
        except grpc.aio.AbortError as error:
            release(error)
            del request  # this function's frame is kept
            raise

    return outermost


async def _write_all(responses: Any, context: Context) -> None:
    """Writes what an iterator gives and closes it, whatever happens.

    gRPC's own loop leaves an iterator to the garbage collector when the call is cancelled in the middle of a
    write. Headers wait for the first message: a call that fails before it has none, so its status reaches
    browsers too.
    """
    rpc = current_rpc()
    opened = False
    try:
        async for response in responses:
            if not opened and rpc is not None:
                await context.send_initial_metadata(((REQUEST_ID_KEY, rpc.request_id),))
            opened = True
            await context.write(response)
    finally:
        aclose = getattr(responses, "aclose", None)
        if aclose is not None:
            await aclose()


def _tolerant(deserialise: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Turns a failure to decode into a value, so that it is answered like any other wrong request."""
    if deserialise is None:
        return None

    def decoded(data: bytes) -> Any:
        try:
            return deserialise(data)
        except DecodeError:
            return Undecodable()

    return decoded


def _ready_or(serialise: Callable[[Any], bytes] | None) -> Callable[[Any], bytes] | None:
    """Lets through what is bytes already: watch streams join encoded events and build no messages."""
    if serialise is None:
        return None
    return lambda message: message if type(message) is bytes else serialise(message)
