"""`GET /health`: {status, version, services}."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import grpc
from grpc_health.v1 import health_pb2
from starlette.requests import Request
from starlette.responses import JSONResponse

from vidence_server.bridge.calls import Bridge
from vidence_server.bridge.problems import is_untrusted
from vidence_server.bridge.services import ServiceLine

_STATES = {
    health_pb2.HealthCheckResponse.SERVING: "serving",
    health_pb2.HealthCheckResponse.NOT_SERVING: "starting",
}
ABSENT = "absent"
"""The process that answers does not offer this service."""
UNTRUSTED = "untrusted"
"""Somebody answers, and TLS fails: look at `tls.peer_ca` and at the names in the service's certificate."""
_UNREACHABLE = "unreachable"
_UNKNOWN = "unknown"
SERVICE_STATES = frozenset({*_STATES.values(), ABSENT, UNTRUSTED, _UNREACHABLE, _UNKNOWN})
"""All that is said of a service."""


class HealthEndpoint:
    """Asks every service of the table by grpc.health.v1.

    Args:
        bridge: Whom to ask.
        version: Of the suite.
    """

    def __init__(self, bridge: Bridge, version: str) -> None:
        self._bridge = bridge
        self._version = version

    async def answer(self, _request: Request) -> JSONResponse:
        """200 while at least one service is serving, else 503; `status` is ok, degraded or unavailable."""
        lines = self._bridge.contract.lines
        states = dict(
            zip((line.name for line in lines), await asyncio.gather(*map(self._state, lines)), strict=True)
        )
        status = _summary(states)
        body = {"status": status, "version": self._version, "services": states}
        return JSONResponse(
            body, 503 if status == "unavailable" else 200, headers={"cache-control": "no-store"}
        )

    async def _state(self, line: ServiceLine) -> str:
        # The published stubs know only the synchronous side.
        check = self._bridge.upstream.channel(line.name).unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        request = health_pb2.HealthCheckRequest(service=self._bridge.contract.services_of(line)[0])
        try:
            answer = await check(request, timeout=self._bridge.settings.health_timeout_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return ABSENT
            return UNTRUSTED if is_untrusted(error) else _UNREACHABLE
        return _STATES.get(answer.status, _UNKNOWN)


def _summary(states: Mapping[str, str]) -> str:
    present = [state for state in states.values() if state != ABSENT]
    serving = present.count("serving")
    if not serving:
        return "unavailable"
    return "ok" if serving == len(present) else "degraded"
