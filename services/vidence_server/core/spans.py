"""Steps of work as spans of a trace; who measures them is decided elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

SpanValue = str | int | float | bool


class Spans(Protocol):
    """Takes the steps of what is being done."""

    def step(self, name: str, **attributes: SpanValue) -> AbstractContextManager[None]:
        """Measures what happens inside as one step of the current call; costs next to nothing outside of one.

        Args:
            name: A fixed name from the code.
            attributes: Numbers and fixed names; never anything from a request.
        """
        ...


class NoSpans:
    """Measures nothing."""

    def step(self, name: str, **attributes: SpanValue) -> AbstractContextManager[None]:  # noqa: ARG002 - see `Spans`
        """Does nothing."""
        return nullcontext()
