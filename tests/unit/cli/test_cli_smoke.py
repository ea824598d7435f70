"""What `vidence smoke` makes of servers that answer wrongly, or not."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from rich.console import Console

from vidence_cli.smoke.contract import known_rpcs
from vidence_cli.smoke.http import HttpProbe, HttpVisit
from vidence_cli.smoke.outcome import Outcome, Verdict
from vidence_cli.smoke.probe import Kept, Probe, having
from vidence_cli.smoke.probes.table import TOURS, Tour
from vidence_cli.smoke.report import all_well, as_json, tell
from vidence_cli.smoke.visit import Visit

EVENTS = "vidence.event.v1.EventService"
RPCS = known_rpcs()


class Answers(grpc.GenericRpcHandler):
    """Answers methods by name, with bytes or by ending the call; others are not offered."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def service(self, details: Any) -> Any:
        name = details.method.rpartition("/")[2]
        self.asked.append(name)
        if name not in self.answers:
            return None
        answer = self.answers[name]
        if callable(answer):
            streams = RPCS[details.method.lstrip("/")].client_streaming
            kind = grpc.stream_stream_rpc_method_handler if streams else grpc.unary_stream_rpc_method_handler
            return kind(answer)
        return grpc.unary_unary_rpc_method_handler(self._giving(answer))

    def _giving(self, answer: Any) -> Any:
        async def given(_request: bytes, context: Any) -> bytes:
            if isinstance(answer, grpc.StatusCode):
                await context.abort(answer, "so it is")
            return answer.SerializeToString()  # type: ignore[no-any-return]  # any message

        return given


@asynccontextmanager
async def visiting(answers: Answers, *, until_s: float = 60) -> AsyncIterator[Visit]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((answers,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            until = asyncio.get_running_loop().time() + until_s
            yield Visit("event", channel, RPCS, Kept("run", ""), until)
    finally:
        await server.stop(None)


@pytest.mark.requirement("R-OP4")
async def test_a_service_that_is_not_there_fails_and_one_for_workers_is_absent() -> None:
    async with visiting(Answers()) as visit:
        outcomes = await visit.run(TOURS["batch"])
    verdicts = {outcome.what: outcome.verdict for outcome in outcomes}
    assert verdicts["CreateBatch"] is Verdict.FAILED
    assert verdicts["LeaseItems"] is Verdict.ABSENT
    assert not all_well(outcomes)


@pytest.mark.requirement("R-OP4")
async def test_what_needs_a_failed_probe_says_so_and_the_rest_goes_on() -> None:
    statistics = RPCS[f"{EVENTS}/GetStatistics"].response()
    answers = Answers(GetStatistics=statistics, Publish=grpc.StatusCode.INTERNAL)
    async with visiting(answers) as visit:
        told = {outcome.what: outcome for outcome in await visit.run(TOURS["event"])}
    assert "so it is" in told["Publish"].told
    assert told["GetEvent"].told == "needs the cursor that an earlier probe was to give"
    assert told["GetStatistics"].verdict is Verdict.OK


@pytest.mark.requirement("R-OP4")
async def test_what_was_made_is_taken_away_however_the_probes_ended() -> None:
    answers = Answers()
    async with visiting(answers) as visit:
        await visit.run(TOURS["library"])
    assert answers.asked[-1] == "DeleteLibrary"


@pytest.mark.requirement("R-OP4")
async def test_the_right_refusal_is_an_answer_and_any_other_is_a_failure() -> None:
    probe = Probe(f"{EVENTS}/GetStatistics", refusal="NO_FACE")
    statistics = RPCS[f"{EVENTS}/GetStatistics"].response()
    async with visiting(Answers(GetStatistics=statistics)) as visit:
        [outcome] = await visit.run(Tour((probe,)))
    assert (outcome.verdict, outcome.told) == (Verdict.FAILED, "NO_FACE was the right answer")


@pytest.mark.requirement("R-OP4")
async def test_a_stream_that_ends_without_what_was_waited_for_fails() -> None:
    async def silent(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield b""

    probe = Probe(f"{EVENTS}/WatchStatistics", enough=having())
    async with visiting(Answers(WatchStatistics=silent)) as visit:
        [outcome] = await visit.run(Tour((probe,)))
    assert (outcome.verdict, outcome.told) == (
        Verdict.FAILED,
        "the stream ended before what was waited for",
    )


@pytest.mark.requirement("R-OP4")
async def test_a_dialogue_is_not_ended_by_the_client_before_it_has_heard_enough() -> None:
    rpc = RPCS[f"{EVENTS}/OpenSession"]

    async def until_half_close(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
        await anext(requests)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(requests, None)
                return  # as the contract says: the client has said everything
        yield ParseDict({"events": [{"cursor": "1"}]}, rpc.response()).SerializeToString()

    probe = next(probe for probe in TOURS["event"].probes if probe.rpc == f"{EVENTS}/OpenSession")
    async with visiting(Answers(OpenSession=until_half_close)) as visit:
        [outcome] = await visit.run(Tour((replace(probe, requests=lambda _kept: [{"opening": {}}]),)))
    assert (outcome.verdict, outcome.told) == (Verdict.OK, "")


@pytest.mark.requirement("R-OP4")
async def test_a_stream_that_says_nothing_fails_at_the_deadline() -> None:
    async def hanging(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    probe = Probe(f"{EVENTS}/WatchStatistics", enough=having())
    async with visiting(Answers(WatchStatistics=hanging), until_s=0.5) as visit:
        [outcome] = await visit.run(Tour((probe,)))
    assert outcome.verdict is Verdict.FAILED
    assert "DEADLINE_EXCEEDED" in outcome.told


class Door(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    def do_GET(self) -> None:
        status, body = {
            "/fine": (200, b'{"a": 1}'),
            "/lines": (200, b'{"control": {}}\n{"heartbeat": {}}\n{"events": []}\n'),
            "/over": (200, b'{"connected": {}}\n'),
            "/refused": (404, b'{"message": "no", "details": [{"reason": "PATH_UNKNOWN"}]}'),
        }.get(self.path, (502, b"<html>"))
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.requirement("R-OP4", "R-WE2")
@pytest.mark.parametrize(
    ("probe", "verdict", "told"),
    [
        (HttpProbe("GET", "/fine", "event"), Verdict.OK, ""),
        (HttpProbe("GET", "/lines", "event", streams=True), Verdict.OK, ""),
        (
            HttpProbe("GET", "/over", "event", streams=True),
            Verdict.FAILED,
            "the stream ended before what was waited for",
        ),
        (HttpProbe("GET", "/refused", "event"), Verdict.FAILED, "PATH_UNKNOWN: no"),
        (
            HttpProbe("GET", "/refused", "event", refusal="PATH_UNKNOWN"),
            Verdict.OK,
            "refused as it should be: PATH_UNKNOWN",
        ),
        (HttpProbe("GET", "/broken", "event"), Verdict.FAILED, "status 502"),
        (
            HttpProbe("GET", "/{session}", "event"),
            Verdict.FAILED,
            "needs the session that an earlier probe was to give",
        ),
    ],
)
async def test_an_http_answer_is_judged(url: str, probe: HttpProbe, verdict: Verdict, told: str) -> None:
    visit = HttpVisit(url, Kept("run", ""), asyncio.get_running_loop().time() + 60)
    [outcome] = await visit.run([probe], [])
    assert (outcome.verdict, outcome.told) == (verdict, told)


@pytest.mark.requirement("R-OP4")
def test_the_report_names_every_probe_and_counts_the_failures() -> None:
    outcomes = [
        Outcome("event", "Publish", Verdict.OK, 0.01),
        Outcome("http", "GET /health", Verdict.FAILED, 1.0, "status 503"),
    ]
    console = Console(record=True, width=100, file=None)
    with console.capture() as captured:
        tell(console, outcomes, 1.5)
    text = captured.get()
    assert "GET /health" in text
    assert "status 503" in text
    assert "2 asked, 1 failed, 1.5 s" in text
    assert json.loads(json.dumps(as_json(outcomes, 1.5)))["ok"] is False
