"""What exists when a process is ready is not looked at again; nothing is lost to the collector by that."""

from __future__ import annotations

import gc
import weakref

import pytest

from collector_off import collector_off
from vidence_server.runtime.heap import settled_heap

FROZEN_BY_PYTHON = gc.get_freeze_count()


class Knot:
    """Something that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def tied() -> weakref.ref[Knot]:
    return weakref.ref(Knot())


def test_what_exists_is_left_alone_and_what_comes_later_is_freed() -> None:
    here = [Knot() for _ in range(100)]
    with settled_heap():
        assert gc.get_freeze_count() > FROZEN_BY_PYTHON + len(here)
        later = tied()
        gc.collect()
        assert later() is None


def test_garbage_is_freed_before_and_not_kept_for_ever() -> None:
    with collector_off():
        garbage = tied()
        assert garbage() is not None
        with settled_heap():
            assert garbage() is None


def test_what_only_the_collector_frees_does_not_pile_up() -> None:
    with settled_heap():
        knots = [tied() for _ in range(20_000)]
        assert sum(knot() is not None for knot in knots) < 10_000


def test_at_the_end_everything_is_as_it_was() -> None:
    before = (gc.get_threshold(), gc.get_freeze_count())
    with pytest.raises(KeyError), settled_heap():
        kept = Knot()
        raise KeyError
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
    gone = weakref.ref(kept)
    del kept
    gc.collect()
    assert gone() is None
