"""Parts of the load generator, compiled and called: marks cut anywhere are found, events are valid."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from vidence.event.v1 import event_pb2, event_service_pb2
from vidence.stream.v1 import stream_control_pb2

LOAD = Path(__file__).resolve().parents[3] / "benchmarks" / "load"
PARTS = ("marker.c", "histogram.c", "event.c")
MARK_BYTES = 34
EVENT_BYTES = 200
BUCKETS = 64 * 60

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the generator needs a C compiler, `cc`")


class Histogram(ctypes.Structure):
    _fields_ = [
        ("counts", ctypes.c_uint64 * BUCKETS),
        ("total", ctypes.c_uint64),
        ("largest", ctypes.c_uint64),
    ]


class Tally(ctypes.Structure):
    _fields_ = [
        ("latencies", Histogram),
        *((name, ctypes.c_uint64) for name in ("received", "holes", "repetitions", "first_ns", "last_ns")),
    ]


class Scanner(ctypes.Structure):
    _fields_ = [
        ("received", ctypes.c_uint64),
        ("highest", ctypes.c_uint64),
        ("carried", ctypes.c_uint8 * MARK_BYTES),
        ("carried_length", ctypes.c_uint),
        ("pages", ctypes.c_int),
        ("seen", ctypes.c_uint64),
        ("page_received", ctypes.c_uint64),
    ]


class Results(ctypes.Structure):
    _fields_ = [("taken", ctypes.c_uint64), ("refused", ctypes.c_uint64)]


class Stream:
    """One scanner with its tally."""

    def __init__(self, load: ctypes.CDLL, *, seen: int | None = None) -> None:
        self.load = load
        self.scanner = Scanner(pages=seen is not None, seen=seen or 0, highest=seen or 0)
        self.tally = Tally()

    def feed(self, data: bytes, now: int = 0) -> None:
        self.load.scanner_feed(
            ctypes.byref(self.scanner),
            ctypes.byref(self.tally),
            ctypes.c_uint64(now),
            data,
            ctypes.c_size_t(len(data)),
        )

    def end_page(self) -> None:
        self.load.scanner_page_end(ctypes.byref(self.scanner), ctypes.byref(self.tally))

    @property
    def found(self) -> tuple[int, int, int]:
        """Marks received, holes, repetitions."""
        return self.tally.received, self.tally.holes, self.tally.repetitions


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("load") / "load.so"
    sources = [str(LOAD / part) for part in PARTS]
    subprocess.run(
        [
            "cc",
            "-std=c11",
            "-D_GNU_SOURCE",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            "-o",
            str(library),
            *sources,
        ],
        check=True,
    )
    found = ctypes.CDLL(str(library))
    found.histogram_quantile.restype = ctypes.c_uint64
    found.publish_request_write.restype = ctypes.c_size_t
    return found


def mark(number: int, time_ns: int = 0) -> bytes:
    return f"@@{time_ns:016x}{number:016x}".encode()


def test_marks_are_found_wherever_the_bytes_are_cut(load: ctypes.CDLL) -> None:
    noise = random.Random(5)
    fillers = [b"@", b"@@", b"@@zz", b"x" * 150, b"", b"\x00@\n", b"@@" + b"0" * 31]
    text = b"".join(noise.choice(fillers) + mark(number) for number in range(1, 301))
    for _ in range(50):
        stream = Stream(load)
        cuts = sorted({0, len(text), *noise.choices(range(len(text)), k=noise.choice((3, 60, 900)))})
        for begin, end in pairwise(cuts):
            stream.feed(text[begin:end])
        assert stream.found == (300, 0, 0)


def test_marks_are_found_byte_by_byte(load: ctypes.CDLL) -> None:
    stream = Stream(load)
    for byte in b"ab@" + mark(1) + b"@" + mark(2):
        stream.feed(bytes([byte]))
    assert stream.found == (2, 0, 0)


def test_a_missing_number_is_a_hole_and_a_second_one_a_repetition(load: ctypes.CDLL) -> None:
    stream = Stream(load)
    stream.feed(mark(7) + mark(9) + mark(9) + mark(10))
    assert stream.found == (4, 1, 1)


def test_pages_count_what_is_new_in_them_and_what_fell_off_their_end(load: ctypes.CDLL) -> None:
    stream = Stream(load, seen=100)
    stream.feed(mark(102) + mark(101) + mark(100))
    stream.end_page()
    stream.feed(mark(102) + mark(101))
    stream.end_page()
    assert stream.found == (2, 0, 0)
    stream.feed(mark(106) + mark(105))
    stream.end_page()
    assert stream.found == (4, 2, 0)


def test_latency_runs_from_the_mark_to_the_arrival(load: ctypes.CDLL) -> None:
    stream = Stream(load)
    for number in range(1, 101):
        stream.feed(mark(number, time_ns=1_000_000), now=1_000_000 + number * 1000)
    assert stream.tally.latencies.largest == 100_000
    median = load.histogram_quantile(ctypes.byref(stream.tally.latencies), ctypes.c_double(0.5))
    assert 50_000 <= median <= 50_000 * 65 / 64
    assert load.histogram_quantile(ctypes.byref(stream.tally.latencies), ctypes.c_double(1.0)) == 100_000


def test_a_histogram_without_samples_has_no_quantile(load: ctypes.CDLL) -> None:
    assert load.histogram_quantile(ctypes.byref(Histogram()), ctypes.c_double(0.99)) == 0


def test_requests_hold_valid_events_of_the_size_that_all_peers_carry(load: ctypes.CDLL) -> None:
    target = ctypes.create_string_buffer(3 * (EVENT_BYTES + 3) + 2)
    load.event_durability(ctypes.c_int(2))
    size = load.publish_request_write(target, ctypes.c_uint(3), ctypes.c_uint64(77), ctypes.c_uint64(5))
    request = event_service_pb2.PublishStreamRequest.FromString(target.raw[:size])
    assert request.durability == event_pb2.DURABILITY_WRITTEN
    assert [int(event.id, 16) for event in request.events] == [5, 6, 7]
    for event in request.events:
        assert event.ByteSize() == EVENT_BYTES
        assert (event.source, event.type) == ("bench/load", "load.sent")
        assert event.opaque.content.startswith(mark(int(event.id, 16), 77))


def test_results_of_a_stream_are_counted_and_other_messages_are_not(load: ctypes.CDLL) -> None:
    results = Results()
    taken = event_service_pb2.PublishResult(cursor="c", repeated=True)
    refused = event_service_pb2.PublishResult()
    refused.error.code = 3
    both = event_service_pb2.PublishResults(results=[taken, refused])
    answers = [
        event_service_pb2.PublishStreamResponse(
            sequence=1, connected=stream_control_pb2.Connected(connection_id="con_1")
        ),
        event_service_pb2.PublishStreamResponse(sequence=2, publish_results=both),
    ]
    for one in answers:
        encoded = one.SerializeToString()
        load.results_count(ctypes.byref(results), encoded, ctypes.c_size_t(len(encoded)), ctypes.c_int(1))
    assert (results.taken, results.refused) == (1, 1)
