"""From what was measured to the figures that are published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from statistics import median

from benchmarks.events.contest import Measured
from benchmarks.events.generator import Outcome
from benchmarks.events.servers import NAIVE, NATS, OURS
from benchmarks.events.workloads import (
    OPEN_RATES,
    POLLED,
    PUB,
    SEED_CLIENTS,
    SMALL_BATCH,
    SUBSCRIBED,
    Sizes,
    idle,
    publishing,
    saturated,
    steady,
    streamed,
)
from benchmarks.report import Floor, table

Figure = Callable[[Outcome], float]
_MEGABYTE = 1e6
_MOST_FOR_LATENCY = 100


def cpu_per_million(outcome: Outcome) -> float:
    """Server CPU-seconds per million deliveries."""
    return outcome.cpu_per_million


def deliveries_per_s(outcome: Outcome) -> float:
    """Deliveries per second."""
    return outcome.deliveries_per_s


def published_per_s(outcome: Outcome) -> float:
    """Events published per second."""
    return outcome.published_per_s


def p50_ms(outcome: Outcome) -> float:
    """Median latency from the publisher to a subscriber."""
    return outcome.counted["p50_ms"]


def p99_ms(outcome: Outcome) -> float:
    """The latency that one delivery in a hundred exceeds."""
    return outcome.counted["p99_ms"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What was measured, asked for by contender and load; NaN where nothing was."""

    measured: Measured
    sizes: Sizes

    @property
    def names(self) -> list[str]:
        """The contenders in their order."""
        return list(dict.fromkeys(name for name, _ in self.measured.outcomes))

    def of(self, name: str, load: str, figure: Figure) -> float:
        """The median over the rounds."""
        outcomes = self.measured.outcomes.get((name, load), [])
        return median(map(figure, outcomes)) if outcomes else nan

    def ratio(self, name: str, other: str, load: str, figure: Figure) -> float:
        """The median over the rounds of one contender's figure divided by the other's in the same round."""
        mine = self.measured.outcomes.get((name, load), [])
        theirs = self.measured.outcomes.get((other, load), [])
        quotients = [figure(a) / figure(b) for a, b in zip(mine, theirs, strict=False) if figure(b) > 0]
        return median(quotients) if quotients else nan

    def sdk_per_s(self, kind: str, seconds: str = "call_s") -> float:
        """Events per second of the SDK's publisher: calls alone, or until acknowledged (`flush_s`)."""
        return rate(self.measured.sdk.get(kind, []), seconds)

    def log_per_s(self, durability: str, seconds: str = "log_s") -> float:
        """Events per second of the durable log, or of plain SQLite (`raw_s`)."""
        return rate(self.measured.log.get(durability, []), seconds)

    def log_share(self, durability: str) -> float:
        """Median over the rounds of the log's rate divided by plain SQLite's in the same round."""
        rounds = self.measured.log.get(durability, [])
        return median(figures["raw_s"] / figures["log_s"] for figures in rounds) if rounds else nan


def rate(rounds: Sequence[Mapping[str, float]], seconds: str) -> float:
    """Median over the rounds of events per second."""
    return median(figures["events"] / figures[seconds] for figures in rounds) if rounds else nan


def floors(standing: Standing) -> list[Floor]:
    """What must hold."""
    most = saturated(max(standing.sizes.counts))
    latencies = [
        Floor(f"p99 at {steady(count, speed)} subscribers, ms", worst, 10, at_most=True)
        for count in standing.sizes.counts
        if count <= _MOST_FOR_LATENCY
        for speed in OPEN_RATES[count]
        for worst in [standing.of(OURS, steady(count, speed), p99_ms)]
    ]
    return [
        Floor(f"CPU per delivery, {NAIVE} / {OURS}, {most}", _times(standing, NAIVE, OURS, most), 20),
        Floor(f"CPU per delivery, {OURS} / {NATS}, {most}", _times(standing, OURS, NATS, most), 1.3, True),
        *latencies,
        Floor(
            f"CPU with {SEED_CLIENTS} clients at 1 event/s, %",
            standing.of(OURS, SUBSCRIBED, lambda outcome: 100 * outcome.cpu_share),
            2,
            at_most=True,
        ),
        Floor(
            f"memory for {SEED_CLIENTS} clients at 1 event/s, MB",
            standing.of(OURS, SUBSCRIBED, lambda outcome: outcome.growth_bytes / _MEGABYTE),
            10,
            at_most=True,
        ),
        Floor("PublishStream, 10 a message, events/s", _streamed_10(standing), 100_000),
        Floor("publish_encoded of the SDK, events/s", standing.sdk_per_s("encoded"), 1_000_000),
        Floor("publish of the SDK, events/s", standing.sdk_per_s("built"), 150_000),
        *(
            Floor(f"durable log / plain SQLite, {durability}", standing.log_share(durability), 0.7)
            for durability in ("WRITTEN", "SYNCED")
        ),
    ]


def _times(standing: Standing, name: str, other: str, load: str) -> float:
    return standing.ratio(name, other, load, cpu_per_million)


def _streamed_10(standing: Standing) -> float:
    return standing.of(OURS, streamed(10), published_per_s)


def tables(standing: Standing) -> str:
    """The figures as Markdown."""
    return "\n\n".join(
        [
            "## Fan-out, saturated",
            saturated_table(standing),
            "## Latency, p50 / p99 in ms",
            latency_table(standing),
            "## Publishing, events per second",
            publishing_table(standing),
            durable_table(standing),
            f"## {SEED_CLIENTS} clients, 1 event per second",
            seed_table(standing),
        ]
    )


def saturated_table(standing: Standing) -> str:
    """Processor time and speed by number of subscribers, and the memory of one."""
    counts = standing.sizes.counts
    head = ["server"]
    head += [f"CPU-s/M, {count}" for count in counts]
    head += [f"by {SMALL_BATCH} a message"]
    head += [f"deliveries/s, {count}" for count in counts]
    head += ["KB/connection"]
    body = [
        [
            name,
            *(_number(standing.of(name, saturated(count), cpu_per_million)) for count in counts),
            _number(standing.of(name, saturated(max(counts), SMALL_BATCH), cpu_per_million)),
            *(_number(standing.of(name, saturated(count), deliveries_per_s)) for count in counts),
            _number(standing.of(name, idle(max(counts)), lambda outcome: outcome.bytes_per_connection / 1e3)),
        ]
        for name in standing.names
    ]
    return table(head, body)


def latency_table(standing: Standing) -> str:
    """Latencies at fixed rates."""
    loads = [steady(count, speed) for count in standing.sizes.counts for speed in OPEN_RATES[count]]
    body = [
        [
            name,
            *(
                f"{_number(standing.of(name, load, p50_ms))} / {_number(standing.of(name, load, p99_ms))}"
                for load in loads
            ),
        ]
        for name in standing.names
    ]
    return table(["server", *loads], body)


def publishing_table(standing: Standing) -> str:
    """What one publisher achieves over the network."""
    loads = [*publishing(standing.sizes, durable=True, messages=True), PUB]
    body = [
        [load, *(_number(standing.of(name, load, published_per_s)) for name in standing.names)]
        for load in loads
    ]
    return table(["way", *standing.names], body)


def durable_table(standing: Standing) -> str:
    """The SDK's publisher, and the log beside plain SQLite."""
    rows = [
        ["SDK, publish_encoded: calls", _number(standing.sdk_per_s("encoded"))],
        ["SDK, publish_encoded: acknowledged", _number(standing.sdk_per_s("encoded", "flush_s"))],
        ["SDK, publish: calls", _number(standing.sdk_per_s("built"))],
        ["SDK, publish: acknowledged", _number(standing.sdk_per_s("built", "flush_s"))],
    ]
    for durability in ("WRITTEN", "SYNCED"):
        rows.append([f"durable log, {durability}", _number(standing.log_per_s(durability))])
        rows.append([f"plain SQLite, {durability}", _number(standing.log_per_s(durability, "raw_s"))])
    return table(["in the process", "events/s"], rows)


def seed_table(standing: Standing) -> str:
    """Being told beside asking."""
    body = []
    for load in (SUBSCRIBED, POLLED):
        figures: Sequence[Figure] = (
            lambda outcome: outcome.counted["polls"] or outcome.subscribers,
            lambda outcome: outcome.counted["bytes"] / 1e3,
            lambda outcome: 100 * outcome.cpu_share,
            lambda outcome: outcome.growth_bytes / _MEGABYTE,
            p50_ms,
            p99_ms,
        )
        body.append([load, *(_number(standing.of(OURS, load, figure)) for figure in figures)])
    return table(["way", "requests", "KB received", "CPU, %", "MB", "p50, ms", "p99, ms"], body)


def as_json(standing: Standing) -> dict[str, object]:
    """Every round of everything."""
    measured = standing.measured
    return {
        "loads": [
            {"server": name, "load": load, "rounds": [_plain(outcome) for outcome in outcomes]}
            for (name, load), outcomes in measured.outcomes.items()
        ],
        "sdk": {kind: list(rounds) for kind, rounds in measured.sdk.items()},
        "log": {durability: list(rounds) for durability, rounds in measured.log.items()},
    }


def _plain(outcome: Outcome) -> dict[str, object]:
    return {
        **outcome.counted,
        "server_cpu_s": round(outcome.cpu_s, 3),
        "server_rss_bytes": {
            name: asdict(usage)["rss_bytes"]
            for name, usage in (
                ("idle", outcome.idle),
                ("connected", outcome.connected),
                ("published", outcome.published),
            )
        },
    }


def _number(value: float) -> str:
    """Three digits that count, as people write them; a dash for what was not measured."""
    if isnan(value):
        return "–"
    if abs(value) >= 1000:
        digits = len(str(int(abs(value)))) - 3
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"
