"""What a person sees of a session: a line for what matters, one line that changes for what flows."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from vidence.capture.v1 import quality_pb2, session_event_pb2, session_pb2
from vidence_cli.live import plain

_STYLES = {
    session_pb2.SESSION_STATE_COMPLETED: "bold green",
    session_pb2.SESSION_STATE_FAILED: "bold red",
    session_pb2.SESSION_STATE_CANCELLED: "yellow",
    session_pb2.SESSION_STATE_EXPIRED: "yellow",
}


def state_name(state: session_pb2.SessionState.ValueType) -> str:
    """The name of a state without its prefix."""
    return session_pb2.SessionState.Name(state).removeprefix("SESSION_STATE_")


def line_of(event: session_event_pb2.CaptureEvent) -> Text | None:
    """What is told of an event; None: nothing."""
    kind = event.WhichOneof("payload") or ""
    told = _WORDS.get(kind)
    return None if told is None else told(event)


def _guidance(event: session_event_pb2.CaptureEvent) -> Text:
    return Text.assemble(("» ", "cyan"), (plain(event.guidance.message), "bold"))


def _state(event: session_event_pb2.CaptureEvent) -> Text:
    change = event.state_change
    style = _STYLES.get(change.new, "cyan")
    return Text.assemble(
        (f"{state_name(change.old)} → {state_name(change.new)}", style), (f"  {plain(change.reason)}", "dim")
    )


def _gate(event: session_event_pb2.CaptureEvent) -> Text:
    failed = event.HasField("quality_gate_failed")
    measure = event.quality_gate_failed.measure if failed else event.quality_gate_passed.measure
    mark, style = ("✗", "yellow") if failed else ("✓", "green")
    low = measure.verdict == quality_pb2.GATE_VERDICT_TOO_LOW
    why = f" too {'low' if low else 'high'}" if failed else ""
    return Text.assemble(
        (f"{mark} ", style), f"{measure.name} {measure.value:.2f} {measure.unit}", (why, style)
    )


def _captured(event: session_event_pb2.CaptureEvent) -> Text:
    captured = event.capture_complete.captured
    target = session_pb2.Target.Name(captured.target).removeprefix("TARGET_").lower()
    return Text.assemble(
        ("● ", "bold green"), (target, "bold"), f" captured, score {captured.score}, {captured.image.id}"
    )


def _field(event: session_event_pb2.CaptureEvent) -> Text:
    field = event.extraction_field.field
    return Text.assemble((f"  {field.key} ", "cyan"), plain(field.value or field.raw_value))


def _verification(event: session_event_pb2.CaptureEvent) -> Text:
    found = Text("verification ")
    for check in event.verification.checks:
        verdict = session_pb2.CheckVerdict.Name(check.verdict).removeprefix("CHECK_VERDICT_").lower()
        found.append(f" {check.name} {verdict} ({plain(check.detail)})")
    return found


def _warning(event: session_event_pb2.CaptureEvent) -> Text:
    return Text(f"! {event.warning.code} {event.warning.count or ''}".rstrip(), style="yellow")


def _error(event: session_event_pb2.CaptureEvent) -> Text:
    return Text(f"! {plain(event.error.status.message)}", style="red")


def _unread(event: session_event_pb2.CaptureEvent) -> Text:
    return Text(f"! not read: {plain(event.extraction_failed.status.message)}", style="red")


def _liveness(event: session_event_pb2.CaptureEvent) -> Text | None:
    told = event.liveness
    if told.HasField("result"):
        verdict = session_pb2.LivenessVerdict.Name(told.result.verdict).removeprefix("LIVENESS_VERDICT_")
        return Text(f"liveness by {told.result.method}: {verdict.lower()} (not certified)")
    if told.HasField("challenge_failed"):
        return Text(f"challenge failed: {told.challenge_failed.reason}", style="yellow")
    return None


_WORDS = {
    "guidance": _guidance,
    "state_change": _state,
    "quality_gate_passed": _gate,
    "quality_gate_failed": _gate,
    "capture_complete": _captured,
    "extraction_field": _field,
    "extraction_failed": _unread,
    "verification": _verification,
    "warning": _warning,
    "error": _error,
    "liveness": _liveness,
}


class PersonTelling:
    """Tells a session to a person at a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def take(self, event: session_event_pb2.CaptureEvent) -> None:
        """Tells one event."""
        line = line_of(event)
        if line is not None:
            self._console.print(line)
