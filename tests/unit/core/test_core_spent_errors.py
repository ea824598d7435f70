"""What an error's functions held is freed without the collector, and nobody who goes on loses anything."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from traceback import extract_tb

import pytest

from collector_off import collector_off
from vidence_server.core.spent_errors import free_locals, release

pytestmark = pytest.mark.requirement("R-ST6")


class Picture:
    """Stands for an image that somebody works on."""


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    with collector_off():
        yield


def failing(pictures: list[weakref.ref[Picture]]) -> None:
    """Fails with a picture in its hands, for a cause that had one too."""
    picture = Picture()
    pictures.append(weakref.ref(picture))
    try:
        decoding(pictures)
    except KeyError as error:
        raise ValueError("damaged") from error


def decoding(pictures: list[weakref.ref[Picture]]) -> None:
    picture = Picture()
    pictures.append(weakref.ref(picture))
    raise KeyError("byte")


def failed(pictures: list[weakref.ref[Picture]]) -> ValueError:
    """The error of `failing`."""
    try:
        failing(pictures)
    except ValueError as error:
        return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("freed", [free_locals, release])
def test_what_functions_held_is_gone(freed: Callable[[BaseException], None]) -> None:
    pictures: list[weakref.ref[Picture]] = []
    error = failed(pictures)
    group = ExceptionGroup("both", [error, KeyError("other")])
    assert [picture() is None for picture in pictures] == [False, False]
    freed(group)
    assert [picture() is None for picture in pictures] == [True, True]
    assert isinstance(error.__cause__, KeyError)


def test_where_it_was_raised_can_be_told_until_it_is_released() -> None:
    error = failed([])
    free_locals(error)
    assert extract_tb(error.__traceback__)[-1].name == "failing"
    release(error)
    assert error.__traceback__ is None


def test_errors_that_refer_to_each_other_are_freed_once() -> None:
    first, second = failed([]), failed([])
    first.__cause__, second.__cause__ = second, first
    free_locals(first)
    release(first)
    assert (first.__traceback__, second.__traceback__) == (None, None)


@pytest.mark.parametrize("freed", [free_locals, release])
def test_a_generator_that_caught_it_goes_on(freed: Callable[[BaseException], None]) -> None:
    def stream() -> Iterator[object]:
        told = "failed"
        try:
            failing([])
        except ValueError as error:
            yield error
        yield told

    running = stream()
    error = next(running)
    assert isinstance(error, ValueError)
    freed(error)
    assert list(running) == ["failed"]


def test_a_function_that_runs_keeps_what_it_has() -> None:
    kept = Picture()
    try:
        failing([])
    except ValueError as error:
        free_locals(error)
    assert isinstance(kept, Picture)
