"""What a probe is: one RPC, what it is asked, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
"""A message as ProtoJSON, names in snake_case; bytes as base64."""


class Missing(Exception):  # noqa: N818 - reads as what happened
    """A probe needs what an earlier one was to give."""


class Unexpected(Exception):  # noqa: N818 - reads as what happened
    """The answer is not what was asked for."""


@dataclass(slots=True)
class Kept:
    """What the probes of one service know of each other.

    Attributes:
        run: Names this run; in every name that the probes choose.
        picture: A PNG with words on it, base64.
    """

    run: str
    picture: str
    _values: dict[str, str] = field(default_factory=dict)  # bound: one per name in the probes

    def __getitem__(self, name: str) -> str:
        """Gives what an earlier probe kept; raises `Missing`."""
        if name not in self._values:
            raise Missing(f"needs the {name.replace('_', ' ')} that an earlier probe was to give")
        return self._values[name]

    def __setitem__(self, name: str, value: str) -> None:
        self._values[name] = value


Keep = Callable[[Kept, Any], None]
"""Takes the last response; keeps what later probes need, raises `Unexpected` where it is wrong."""


def nothing(_kept: Kept, _answer: Any) -> None:
    """Keeps nothing."""


def always(_message: Any) -> bool:
    """Any message is enough."""
    return True


def having(*names: str) -> Callable[[Any], bool]:
    """Waits for a message with one of these payloads, or events that have one; no names: any events.

    Works for both kinds of streams: watch messages hold `events`, results are one of several payloads.
    """

    def enough(message: Any) -> bool:
        if "events" not in message.DESCRIPTOR.fields_by_name:
            return any(message.HasField(name) for name in names)
        return any(not names or any(event.HasField(name) for name in names) for event in message.events)

    return enough


@dataclass(frozen=True, slots=True)
class Probe:
    """One RPC, asked once.

    Attributes:
        rpc: Its name: `vidence.event.v1.EventService/Publish`.
        requests: Makes the request, or the requests of a client stream; raises `Missing`.
        enough: For streams: whether this message was what the probe waited for; then the call is cancelled.
            A stream that ends before fails the probe.
        keep: Looks at the last response.
        refusal: The reason that is the right answer, where a request that works would disturb others.
        inside: Whether no door leads to it: then it may be absent at the address.
        dialogue: Whether the stream ends when the client has said everything: then the client has not said
            everything before it has heard enough.
    """

    rpc: str
    requests: Callable[[Kept], Json | Sequence[Json]] = lambda _kept: {}
    enough: Callable[[Any], bool] = always
    keep: Keep = nothing
    refusal: str = ""
    inside: bool = False
    dialogue: bool = False
