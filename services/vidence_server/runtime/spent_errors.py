"""Errors that have been told: what their frames hold is freed at once."""

from __future__ import annotations

from traceback import clear_frames


def release(error: BaseException) -> None:
    """Frees what the functions that an error, its causes and its parts went through still hold.

    An error refers to these functions' frames, and one of them often to the error: only the collector would
    free them, and with them the request and the images that were worked on. Its traceback is gone afterwards.
    Functions that still run keep what they have.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if one.__traceback__ is not None:
            clear_frames(one.__traceback__)
            one.__traceback__ = None
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
