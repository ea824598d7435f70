"""What a load tells: a table for people, one JSON object for programs, and what was missing."""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from rich.text import Text

from vidence_cli.load.run import LoadOutcome
from vidence_cli.load.usage import usage_between

_SILENT_PERIODS = 2.5
_MIB = 2**20
_ENOUGH = 0.9  # the rate is kept by a timer of ours
_LABELS = {
    "subscribers": ("subscribers", ""),
    "connected": ("connected", ""),
    "connecting_s": ("all connected after", "s"),
    "slowest_connect_s": ("slowest connect", "s"),
    "heartbeats": ("heartbeats", ""),
    "longest_silence_s": ("longest silence", "s"),
    "published": ("published", ""),
    "published_per_s": ("publish rate", "/s"),
    "publish_retries": ("publish retries", ""),
    "delivered": ("delivered", ""),
    "lost": ("lost", ""),
    "doubled": ("doubled", ""),
    "latency_p50_ms": ("latency p50", "ms"),
    "latency_p99_ms": ("latency p99", "ms"),
    "server_subscribers": ("subscribers, by the server", ""),
    "server_cpu_percent": ("server processor", "% of a core"),
    "server_cpu_s": ("server processor time", "s"),
    "server_rss_start_mib": ("server memory at start", "MiB"),
    "server_rss_end_mib": ("server memory at end", "MiB"),
    "server_rss_peak_mib": ("server memory at most", "MiB"),
}


def findings(outcome: LoadOutcome) -> list[str]:
    """Says what was missing, one sentence each; empty where all was as it must be."""
    seen = outcome.seen
    connected = [one for one in seen if one.connected]
    limit_s = _SILENT_PERIODS * outcome.plan.heartbeat_period_s
    last = outcome.published.last_number
    counts = {
        "did not connect": len(seen) - len(connected),
        "ended before the load did": sum(one.status is not None for one in connected),
        f"heard nothing for more than {limit_s:g} s": sum(
            one.longest_silence_s > limit_s for one in connected
        ),
        "saw neither a heartbeat nor an event": sum(not (one.heartbeats or one.events) for one in connected),
        "missed events": sum(one.lost > 0 or one.events < last for one in connected),
        "got events twice or out of order": sum(one.doubled > 0 for one in connected),
        "got a message that does not follow the one before": sum(one.breaks > 0 for one in connected),
        "were told of a gap": sum(one.gaps > 0 for one in connected),
    }
    told = [f"{count} of {len(seen)} subscribers {what}" for what, count in counts.items() if count]
    return told + _refusals(outcome) + _shortfall(outcome) + _contradictions(outcome)


def _refusals(outcome: LoadOutcome) -> list[str]:
    """How calls ended that should not have."""
    ends = Counter(one.status.reason or one.status.code for one in outcome.seen if one.status is not None)
    return [f"{count} calls ended with {name}" for name, count in ends.most_common()]


def _shortfall(outcome: LoadOutcome) -> list[str]:
    """How far publishing stayed behind what was asked for."""
    published = outcome.published
    due = int(outcome.plan.publish_rate * outcome.plan.duration_s)
    if published.last_number >= _ENOUGH * due:
        return []
    why = ", ".join(
        f"{count} calls failed with {reason}" for reason, count in published.failures.most_common()
    )
    return [f"{published.last_number} of {due} events were published{f': {why}' if why else ''}"]


def _contradictions(outcome: LoadOutcome) -> list[str]:
    """Where the server counts otherwise than its clients, and what could not be measured."""
    before, during = outcome.before, outcome.during
    connected = sum(one.connected and one.status is None for one in outcome.seen)
    heartbeats = sum(one.heartbeats for one in outcome.seen)
    delivered = sum(one.events for one in outcome.seen)
    told = []
    if during.subscriber_count < connected:
        told.append(f"the server counts {during.subscriber_count} subscribers, {connected} are connected")
    if during.total_heartbeats - before.total_heartbeats < heartbeats:
        told.append(f"the server counts fewer heartbeats than the {heartbeats} that arrived")
    if during.total_delivered - before.total_delivered < delivered:
        told.append(f"the server counts fewer deliveries than the {delivered} that arrived")
    if during.total_published - before.total_published < outcome.published.last_number:
        told.append(
            f"the server counts fewer events than the {outcome.published.last_number} it acknowledged"
        )
    if outcome.usage_problem:
        told.append(f"processor time and memory are not known: {outcome.usage_problem}")
    return told


def measures(outcome: LoadOutcome) -> dict[str, float | int | None]:
    """The figures of a load by name; None: not measured."""
    connected = [one for one in outcome.seen if one.connected]
    usage = usage_between(outcome.samples)
    published = outcome.published
    return {
        "subscribers": len(outcome.seen),
        "connected": len(connected),
        "connecting_s": round(outcome.connecting_s, 3),
        "slowest_connect_s": round(max((one.connect_s for one in connected), default=0.0), 3),
        "heartbeats": sum(one.heartbeats for one in connected),
        "longest_silence_s": round(max((one.longest_silence_s for one in connected), default=0.0), 3),
        "published": published.last_number,
        "published_per_s": round(published.last_number / published.duration_s, 1)
        if published.duration_s
        else 0,
        "publish_retries": published.failures.total(),
        "delivered": sum(one.events for one in connected),
        "lost": sum(one.lost for one in connected),
        "doubled": sum(one.doubled for one in connected),
        "latency_p50_ms": _ms(outcome.latencies.percentile_s(50)),
        "latency_p99_ms": _ms(outcome.latencies.percentile_s(99)),
        "server_subscribers": outcome.during.subscriber_count,
        "server_cpu_percent": None if usage is None else round(100 * usage.cpu_share, 2),
        "server_cpu_s": None if usage is None else round(usage.cpu_s, 2),
        "server_rss_start_mib": None if usage is None else round(usage.rss_start_bytes / _MIB, 1),
        "server_rss_end_mib": None if usage is None else round(usage.rss_end_bytes / _MIB, 1),
        "server_rss_peak_mib": None if usage is None else round(usage.rss_peak_bytes / _MIB, 1),
    }


def table_of_measures(outcome: LoadOutcome) -> Table:
    """Draws the figures that were measured for a person."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column("what")
    table.add_column("figure", justify="right")
    for name, figure in measures(outcome).items():
        if figure is not None:
            what, unit = _LABELS[name]
            table.add_row(what, Text(f"{figure:,}", style="cyan"), Text(unit, style="dim"))
    return table


def _ms(latency_s: float | None) -> float | None:
    return None if latency_s is None else round(latency_s * 1000, 3)
