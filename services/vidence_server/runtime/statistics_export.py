"""Turns the `statistics()` of components into metrics, so that components need not know Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_UNITS = {"s": "seconds", "ms": "milliseconds"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of a component."""

    name: str
    field: str
    labels: tuple[tuple[str, str], ...]
    value: float


class StatisticsCollector(Collector):
    """Asks one component for its numbers at each scrape."""

    def __init__(self, prefix: str, statistics: Callable[[], object], counters: frozenset[str]) -> None:
        self._prefix = prefix
        self._statistics = statistics
        self._counters = counters

    def describe(self) -> list[Metric]:
        """Nothing: names come from the statistics, which need not exist yet when the component registers."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The component's numbers as they are now."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for sample in samples(self._prefix, self._statistics()):
            family = families.get(sample.name)
            if family is None:
                labels = [name for name, _ in sample.labels]
                kind = CounterMetricFamily if sample.field in self._counters else GaugeMetricFamily
                words = f"`{sample.field}` of {self._prefix.removeprefix('vidence_')}."
                family = families[sample.name] = kind(sample.name, words, labels=labels)
            family.add_metric([value for _, value in sample.labels], sample.value)
        yield from families.values()


def samples(
    name: str, value: object, labels: tuple[tuple[str, str], ...] = (), field: str = ""
) -> Iterator[Sample]:
    """The numbers in `value`: a number, a dataclass of such values, or a mapping from names to them.

    Anything else (texts, None) is left out.
    """
    if isinstance(value, int | float):
        yield Sample(name, field, labels, float(value))
    elif isinstance(value, Mapping):
        label = field.removesuffix("s") or "name"
        for key, member in value.items():
            yield from samples(name.removesuffix("s"), member, (*labels, (label, str(key))), field)
    elif is_dataclass(value):
        for member in fields(value):
            yield from samples(
                f"{name}_{metric_name(member.name)}", getattr(value, member.name), labels, member.name
            )


def metric_name(field: str) -> str:
    """What a field is called in the name of its metric: units are written out."""
    return "_".join(_UNITS.get(part, part) for part in field.split("_"))
