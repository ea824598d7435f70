"""What a client of the library service sees: documents in, hits, export; and searches without RPC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import grpc

from benchmarks.library.contest import Plan, Size
from benchmarks.library.service_process import LIBRARY, MODEL
from benchmarks.peers.vectors.data import pieces, query
from benchmarks.real_data import ROOT
from vidence.library.v1 import library_pb2, library_service_pb2_grpc, search_pb2
from vidence.library.v1 import library_service_pb2 as pb

K = 1000
_DOCUMENTS_PER_MESSAGE = 500
_LARGEST_MESSAGE = 32 * 2**20
_TEXT = "Document {} of the collection: a line of text as long as a title, and another one behind it."


class _Service:
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

    def search(self, number: int) -> tuple[float, float]:
        """Seconds until the first and until the last hit."""
        wanted = pb.SearchDocumentsRequest(
            library_id=LIBRARY,
            k=K,
            options=search_pb2.SearchOptions(vector=_vector(query(number, self._size.dimensions))),
        )
        first, last, hits = 0.0, 0.0, 0
        start = time.perf_counter()
        for answer in self._stub.SearchDocuments(wanted):
            if answer.WhichOneof("payload") == "search_hits":
                last = time.perf_counter() - start
                first = first or last
                hits += len(answer.search_hits.hits)
        assert hits == min(K, self._size.count), hits
        return first, last

    def search_in_process(self, number: int) -> float:
        """Seconds until the last hit, without a transport."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"query": number, "k": K}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["hits"] == min(K, self._size.count), answer
        return float(answer["seconds"])

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


def measure_service(plan: Plan, folder: Path) -> tuple[dict[str, float], list[str]]:
    """The figures for the smallest size, and why there are none."""
    size = plan.sizes[0]
    try:
        with TemporaryDirectory(dir=folder) as own, _started(size, Path(own)) as service:
            return _figures(service, plan, size), []
    except (grpc.RpcError, OSError, ValueError) as error:
        code = error.code() if isinstance(error, grpc.Call) else type(error).__name__
        return {}, [f"The service was not measured: {code}."]


def _figures(service: _Service, plan: Plan, size: Size) -> dict[str, float]:
    ingest_s = service.ingest()
    service.search(0)
    service.search_in_process(0)
    firsts, lasts, directs, overheads = [], [], [], []
    for number in range(plan.rounds):
        told, direct = [], []
        for one in range(plan.queries):
            # By turns, and not always the same one first.
            if (one + number) % 2:
                direct.append(service.search_in_process(one))
            told.append(service.search(one))
            if not (one + number) % 2:
                direct.append(service.search_in_process(one))
        firsts.append(median(first for first, _ in told))
        lasts.append(median(last for _, last in told))
        directs.append(median(direct))
        overheads.append(lasts[-1] / directs[-1] - 1)
    return {
        "ingest_rows_per_s": size.count / ingest_s,
        "first_hit_ms": 1000 * median(firsts),
        "last_hit_ms": 1000 * median(lasts),
        "in_process_ms": 1000 * median(directs),
        "overhead": median(overheads),
        "export_mb_per_s": service.export_mb_per_s(omit_vectors=False),
        "export_plain_mb_per_s": service.export_mb_per_s(omit_vectors=True),
    }


@contextmanager
def _started(size: Size, folder: Path) -> Iterator[_Service]:
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
        service = _Service(process, size)
        with service.channel:
            yield service
    finally:
        process.terminate()
        process.wait()


def _vector(values: Any) -> library_pb2.Vector:
    return library_pb2.Vector(model_id=MODEL, data=values.astype("<f4").tobytes())
