"""Events as a person reads them: one coloured line each."""

from __future__ import annotations

from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text

from vidence.event.v1 import event_pb2
from vidence.stream.v1 import stream_control_pb2
from vidence_cli.events.payload import payload_text
from vidence_cli.live import plain

_STYLES = {
    event_pb2.SEVERITY_DEBUG: "dim",
    event_pb2.SEVERITY_WARNING: "yellow",
    event_pb2.SEVERITY_ERROR: "red",
    event_pb2.SEVERITY_CRITICAL: "bold white on red",
}


def event_line(event: event_pb2.Event, *, verbose: bool = False) -> Text:
    """Time, severity, type, subject and source; with `verbose` what the event carries below it."""
    line = Text.assemble(
        (local_time(event.emit_time), "dim"),
        "  ",
        (f"{severity_name(event.severity):<8}", _STYLES.get(event.severity, "green")),
        "  ",
        (plain(event.type), "cyan"),
        overflow="fold",
    )
    if event.subject:
        line.append(f"  {plain(event.subject)}", style="bold")
    line.append(f"  {plain(event.source)}", style="dim")
    if verbose:
        _append_details(line, event)
    return line


def _append_details(line: Text, event: event_pb2.Event) -> None:
    line.append(f"\n    {plain(event.id)}  {event.cursor}", style="dim")
    for key in sorted(event.attributes):
        line.append(f"\n    {plain(key)}={plain(event.attributes[key])}", style="magenta")
    if carried := payload_text(event):
        line.append(f"\n    {plain(carried)}")


def severity_name(severity: event_pb2.Severity.ValueType) -> str:
    """The severity's short name; one that is not known here by its number."""
    if severity == event_pb2.SEVERITY_UNSPECIFIED:
        return "INFO"
    if severity not in event_pb2.Severity.values():
        return str(severity)
    return event_pb2.Severity.Name(severity).removeprefix("SEVERITY_")


def local_time(moment: Timestamp) -> str:
    """The time of day here, with the date, to the millisecond."""
    return moment.ToDatetime(UTC).astimezone().isoformat(sep=" ", timespec="milliseconds")[:23]


def gap_text(gap: stream_control_pb2.Gap) -> Text:
    """Tells what is missing and why."""
    reason = stream_control_pb2.GapReason.Name(gap.reason).removeprefix("GAP_REASON_")
    count = f"{gap.missed_count} events" if gap.HasField("missed_count") else "an unknown number of events"
    return Text.assemble(
        ("gap ", "bold yellow"), f"{reason}: {count} missing after {gap.from_cursor} until {gap.to_cursor}"
    )


def event_table(events: list[event_pb2.Event]) -> Table:
    """A page of events for a person, one row each."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("time", "severity", "type", "subject", "source", "id"):
        table.add_column(title, overflow="fold", no_wrap=title in {"time", "severity"})
    for event in events:
        table.add_row(
            Text(local_time(event.emit_time), style="dim"),
            Text(severity_name(event.severity), style=_STYLES.get(event.severity, "green")),
            Text(plain(event.type), style="cyan"),
            Text(plain(event.subject)),
            Text(plain(event.source), style="dim"),
            Text(plain(event.id), style="dim"),
        )
    return table
