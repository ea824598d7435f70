"""How often a threshold is wrong: counts that the evaluation measured, for one version of one model."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from math import sqrt
from typing import Any

from vidence_server.core.errors import DomainError, Reason

_Z = 1.6448536269514722
"""Normal quantile of a one-sided bound at 95 %."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened that should not."""

    errors: int
    trials: int

    @property
    def value(self) -> float:
        """Errors per trial, 0–1; 1 without a trial."""
        return self.errors / self.trials if self.trials else 1.0

    @property
    def upper(self) -> float:
        """Upper bound of the true rate with 95 % confidence (Wilson 1927, one-sided), 0–1.

        It takes the trials as independent, which pairs of the same few people are not: the truth is wider.
        """
        if not self.trials:
            return 1.0
        share, weight = self.value, _Z * _Z / self.trials
        middle = share + weight / 2
        reach = sqrt(share * (1 - share) * weight + weight * weight / 4)
        return min(1.0, (middle + reach) / (1 + weight))


@dataclass(frozen=True, slots=True)
class MatchRates:
    """What was measured at one threshold."""

    threshold: float
    """Similarity from which two faces count as one person's."""
    false_accept: Rate
    """Pairs of different people that were taken for one person."""
    false_reject: Rate
    """Pairs of one person that were not."""


@dataclass(frozen=True, slots=True)
class ThresholdTable:
    """The published thresholds of an embedding model."""

    model: str
    version: str
    default: float
    """The threshold that holds where none is asked for."""
    data: str
    """What was measured on."""
    limits: tuple[str, ...]
    """What is not known."""
    rates: tuple[MatchRates, ...]
    """By rising threshold."""

    def at(self, threshold: float) -> MatchRates | None:
        """What is known at a threshold; None outside of what was measured.

        Never too good: between two measured thresholds the false accepts are those of the lower one, the
        false rejects those of the higher one.
        """
        measured = [rates.threshold for rates in self.rates]
        above = bisect_right(measured, threshold)
        if above == 0:
            return None
        lower = self.rates[above - 1]
        if lower.threshold == threshold:
            return lower
        if above == len(measured):
            return None
        return MatchRates(threshold, lower.false_accept, self.rates[above].false_reject)

    def describes(self, model: str, version: str) -> bool:
        """Whether this model's rates were measured: with other weights nothing is known."""
        return (self.model, self.version) == (model, version)


def read_thresholds(text: str) -> ThresholdTable:
    """Reads the JSON that `make eval` writes.

    Raises:
        DomainError: CONFIGURATION_INVALID.
    """
    try:
        data = json.loads(text)
        return ThresholdTable(
            model=data["model"],
            version=data["version"],
            default=float(data["default"]),
            data=data["data"],
            limits=tuple(data["limits"]),
            rates=tuple(_rates(entry, data) for entry in data["rates"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DomainError(
            Reason.CONFIGURATION_INVALID, f"The table of thresholds is wrong ({type(error).__name__})."
        ) from error


def _rates(entry: list[Any], data: dict[str, Any]) -> MatchRates:
    threshold, accepts, rejects = entry
    return MatchRates(
        float(threshold), Rate(accepts, data["different_pairs"]), Rate(rejects, data["same_pairs"])
    )
