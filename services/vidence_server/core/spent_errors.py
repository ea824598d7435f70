"""What functions that failed still hold is freed at once, not when the garbage collector comes by.

An error refers to the frames of the functions that it went through, and one of these often to the error: only
the collector would free them, and with them the request and the images that were worked on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from traceback import walk_tb

_RESUMABLE = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR


def free_locals(error: BaseException) -> None:
    """Frees the locals of the functions that an error, its causes and its parts went through.

    Where it was raised can still be told. Functions that still run keep what they have, and so do generators
    and coroutines: one that caught the error may go on.
    """
    for one in _family(error):
        for frame, _ in walk_tb(one.__traceback__):
            if not frame.f_code.co_flags & _RESUMABLE:
                with suppress(RuntimeError):  # it runs
                    frame.clear()


def release(error: BaseException) -> None:
    """Makes an error that has been told forget where it was raised, with its causes and its parts."""
    for one in _family(error):
        one.__traceback__ = None


def _family(error: BaseException) -> Iterator[BaseException]:
    """An error, its causes, and the parts of groups, once each."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
