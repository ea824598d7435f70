"""What a client of the library service sees: documents in, hits, export; and searches without RPC.

The overhead is what the RPC adds to a search: seconds until the client has the last hit, divided by those of
the same search called directly in the same process, which reads the same rows. Both take turns, query by
query. The same is told of the processor time of the server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import grpc

from benchmarks.library.contest import KS, Plan, Size
from benchmarks.library.service_process import LIBRARY, MODEL
from benchmarks.peers.vectors.data import pieces, query
from benchmarks.real_data import ROOT
from vidence.library.v1 import library_pb2, library_service_pb2_grpc, search_pb2
from vidence.library.v1 import library_service_pb2 as pb

_DOCUMENTS_PER_MESSAGE = 500
_LARGEST_MESSAGE = 32 * 2**20
_TEXT = "Document {} of the collection: a line of text as long as a title, and another one behind it."


class _Process:
    """The process, and a client of its server."""

    def __init__(self, process: subprocess.Popen[str], size: Size) -> None:
        self._process = process
        self._size = size
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        options = [("grpc.max_receive_message_length", _LARGEST_MESSAGE)]
        self.channel = grpc.insecure_channel(told["address"], options=options)
        self._stub = library_service_pb2_grpc.LibraryServiceStub(self.channel)

    def ingest(self) -> float:
        """Seconds until every document is acknowledged; their vectors are made beforehand."""
        self._stub.CreateLibrary(
            pb.CreateLibraryRequest(library_id=LIBRARY, model_id=MODEL, dimensions=self._size.dimensions)
        )
        requests = list(self._requests())
        start = time.perf_counter()
        for answer in self._stub.IngestDocuments(iter(requests)):
            if answer.WhichOneof("payload") == "ingest_complete":
                assert answer.ingest_complete.created_count == self._size.count, answer.ingest_complete
        return time.perf_counter() - start

    def search(self, number: int, k: int) -> tuple[float, float]:
        """Seconds until the first and until the last hit."""
        wanted = pb.SearchDocumentsRequest(
            library_id=LIBRARY,
            k=k,
            options=search_pb2.SearchOptions(vector=_vector(query(number, self._size.dimensions))),
        )
        first, last, hits = 0.0, 0.0, 0
        start = time.perf_counter()
        for answer in self._stub.SearchDocuments(wanted):
            if answer.WhichOneof("payload") == "search_hits":
                last = time.perf_counter() - start
                first = first or last
                hits += len(answer.search_hits.hits)
        assert hits == min(k, self._size.count), hits
        return first, last

    def search_in_process(self, number: int, k: int) -> float:
        """Seconds until the last hit, without a transport."""
        answer = self._asked({"query": number, "k": k})
        assert answer["hits"] == min(k, self._size.count), answer
        return float(answer["seconds"])

    def work(self) -> Mapping[str, float]:
        """`cpu_seconds` of the process since its start, and its `memory_bytes`."""
        return self._asked({})

    def _asked(self, question: Mapping[str, int]) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, float] = json.loads(self._process.stdout.readline())
        return answer

    def export_mb_per_s(self, *, omit_vectors: bool) -> float:
        """Megabytes of the export's text per second."""
        size = 0
        start = time.perf_counter()
        for part in self._stub.ExportLibrary(
            pb.ExportLibraryRequest(library_id=LIBRARY, omit_vectors=omit_vectors)
        ):
            size += len(part.data)
        return size / 1e6 / (time.perf_counter() - start)

    def _requests(self) -> Iterator[pb.IngestDocumentsRequest]:
        yield pb.IngestDocumentsRequest(opening=pb.IngestOpening(library_id=LIBRARY))
        for first, vectors in pieces(self._size.count, self._size.dimensions):
            for start in range(0, len(vectors), _DOCUMENTS_PER_MESSAGE):
                documents = [
                    library_pb2.Document(
                        document_id=f"document-{no}",
                        text=_TEXT.format(no),
                        vector=_vector(vectors[no - first]),
                    )
                    for no in range(
                        first + start, min(first + start + _DOCUMENTS_PER_MESSAGE, first + len(vectors))
                    )
                ]
                yield pb.IngestDocumentsRequest(documents=pb.IngestBatch(documents=documents))


@dataclass(frozen=True, slots=True)
class Service:
    """What was measured through the service."""

    figures: dict[tuple[Size, str], float] = field(default_factory=dict)
    searches: dict[tuple[Size, int, str], float] = field(default_factory=dict)
    """With k: `first_hit_ms`, `last_hit_ms`, `in_process_ms`, `overhead`, `cpu_overhead`."""


def measure_service(plan: Plan, folder: Path) -> tuple[Service, list[str]]:
    """The figures by size, and why there are none."""
    measured, missing = Service(), []
    for size in plan.served:
        try:
            with TemporaryDirectory(dir=folder) as own, _started(size, Path(own)) as process:
                _measure(measured, process, plan, size)
        except (grpc.RpcError, OSError, ValueError) as error:
            code = error.code() if isinstance(error, grpc.Call) else type(error).__name__
            missing.append(f"The service was not measured with {size}: {code}.")
        print(f"service, {size} done", flush=True)
    return measured, missing


def _measure(measured: Service, process: _Process, plan: Plan, size: Size) -> None:
    measured.figures[size, "ingest_rows_per_s"] = size.count / process.ingest()
    for k in KS:
        for name, value in _searches(process, plan, k).items():
            measured.searches[size, k, name] = value
    measured.figures[size, "memory_mb"] = process.work()["memory_bytes"] / 1e6
    measured.figures[size, "export_mb_per_s"] = process.export_mb_per_s(omit_vectors=False)
    measured.figures[size, "export_plain_mb_per_s"] = process.export_mb_per_s(omit_vectors=True)


def _searches(process: _Process, plan: Plan, k: int) -> dict[str, float]:
    for _ in range(3):
        process.search(0, k)
        process.search_in_process(0, k)
    rounds = [_round(process, plan, k, number) for number in range(plan.rounds)]
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


def _round(process: _Process, plan: Plan, k: int, number: int) -> dict[str, float]:
    """Medians over the queries of a round."""
    told, direct, cpu, cpu_direct = [], [], 0.0, 0.0
    for one in range(plan.queries):
        for turn in ("rpc", "direct") if (one + number) % 2 else ("direct", "rpc"):
            before = process.work()["cpu_seconds"]
            if turn == "rpc":
                told.append(process.search(one, k))
                cpu += process.work()["cpu_seconds"] - before
            else:
                direct.append(process.search_in_process(one, k))
                cpu_direct += process.work()["cpu_seconds"] - before
    last, in_process = median(last for _, last in told), median(direct)
    return {
        "first_hit_ms": 1000 * median(first for first, _ in told),
        "last_hit_ms": 1000 * last,
        "in_process_ms": 1000 * in_process,
        "overhead": last / in_process - 1,
        "cpu_overhead": cpu / cpu_direct - 1,
    }


@contextmanager
def _started(size: Size, folder: Path) -> Iterator[_Process]:
    command = [sys.executable, "-m", "benchmarks.library.service_process"]
    process = subprocess.Popen(
        [*command, "--folder", str(folder), "--dimensions", str(size.dimensions)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        running = _Process(process, size)
        with running.channel:
            yield running
    finally:
        process.terminate()
        process.wait()


def _vector(values: Any) -> library_pb2.Vector:
    return library_pb2.Vector(model_id=MODEL, data=values.astype("<f4").tobytes())
