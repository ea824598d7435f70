"""Every path of the HTTP table once, with the standard library alone."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidence_cli.smoke.outcome import Outcome, Verdict
from vidence_cli.smoke.probe import Kept, Missing, Unexpected

NDJSON = "application/x-ndjson"
_JSON = "application/json"

Look = Callable[[Kept, Any], None]


def _nothing(_kept: Kept, _answer: Any) -> None:
    """Looks at nothing."""


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """One line of the table.

    Attributes:
        verb: `GET`, `POST`, …
        path: With `{library}`, `{cursor}` and `{session}` where names stand.
        service: Which service answers.
        body: Makes the body; a list is sent as lines of NDJSON.
        streams: Whether lines come; the first that is not about the stream itself is enough.
        look: Looks at the answer, or at that line.
        refusal: The reason that is the right answer.
    """

    verb: str
    path: str
    service: str
    body: Callable[[Kept], Mapping[str, Any] | Sequence[Mapping[str, Any]]] | None = None
    streams: bool = False
    look: Look = _nothing
    refusal: str = ""


class HttpVisit:
    """Asks one door.

    Args:
        url: `http://127.0.0.1:8080`.
        kept: What the probes know.
        until_s: When to give up, on the monotonic clock.
        headers: For every request.
        tls: How to trust `https`; None: as the system does.
    """

    def __init__(
        self,
        url: str,
        kept: Kept,
        until_s: float,
        *,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._kept = kept
        self._until_s = until_s
        self._headers = dict(headers or {})
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=tls)]
        if "//localhost" in url or "//127." in url or "//[::1]" in url:
            # a proxy set for the outside cannot reach this machine's own loopback
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    async def run(self, probes: Sequence[HttpProbe], clean_up: Sequence[HttpProbe]) -> list[Outcome]:
        """Asks all, then takes away what they made."""
        try:
            return [await asyncio.to_thread(self._outcome, probe) for probe in probes]
        finally:
            for probe in clean_up:
                await asyncio.to_thread(self._outcome, probe)

    def _outcome(self, probe: HttpProbe) -> Outcome:
        started_s = time.monotonic()
        verdict, told = Verdict.OK, ""
        try:
            probe.look(self._kept, self._answer(probe, max(0.1, self._until_s - started_s)))
            if probe.refusal:
                raise Unexpected(f"{probe.refusal} was the right answer")
        except urllib.error.HTTPError as error:
            with error:
                verdict, told = _judged(probe, error)
        except (OSError, ValueError, Missing, Unexpected) as error:
            verdict, told = Verdict.FAILED, str(error) or type(error).__name__
        return Outcome("http", f"{probe.verb} {probe.path}", verdict, time.monotonic() - started_s, told)

    def _answer(self, probe: HttpProbe, timeout_s: float) -> Any:
        with self._opener.open(self._request(probe), timeout=timeout_s) as response:
            if not probe.streams:
                return json.load(response)
            for line in response:
                message = json.loads(line)
                if not {"connected", "heartbeat", "control"} & set(message):
                    return message
        raise Unexpected("the stream ended before what was waited for")

    def _request(self, probe: HttpProbe) -> urllib.request.Request:
        path = probe.path.format_map(_Names(self._kept))
        headers = {**self._headers, "accept": NDJSON if probe.streams else _JSON}
        data = None
        if probe.body is not None:
            body = probe.body(self._kept)
            is_one = isinstance(body, Mapping)
            headers["content-type"] = _JSON if is_one else NDJSON
            data = "".join(f"{json.dumps(line)}\n" for line in ([body] if is_one else body)).encode()
        elif probe.verb != "GET":
            data = b""
        return urllib.request.Request(  # noqa: S310  # the caller names the door, http or https
            f"{self._url}{path}", data, headers, method=probe.verb
        )


class _Names(dict[str, str]):
    """Names in paths: the library of this run, and what was kept."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(library=f"smoke-http-{kept.run}")
        self._kept = kept

    def __missing__(self, name: str) -> str:
        return self._kept[name]


def _judged(probe: HttpProbe, error: urllib.error.HTTPError) -> tuple[Verdict, str]:
    try:
        problem = json.load(error)
        reason = str(problem["details"][0]["reason"])
    except (ValueError, LookupError, TypeError):
        return Verdict.FAILED, f"status {error.code}"
    if probe.refusal == reason:
        return Verdict.OK, f"refused as it should be: {reason}"
    return Verdict.FAILED, f"{reason}: {problem.get('message', '')}"
