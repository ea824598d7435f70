"""The suite as it is served: batches are read by the extraction pipeline, in the service or in workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from e2e_suite import LiveSuite, start_suite, stop_suite
from eventually import PATIENCE_S
from vidence.batch.v1 import batch_pb2
from vidence.batch.v1 import batch_service_pb2 as pb
from vidence.batch.v1 import batch_service_pb2_grpc as pb_grpc
from vidence.extraction.v1 import extraction_service_pb2 as extraction
from vidence.extraction.v1 import extraction_service_pb2_grpc as extraction_grpc
from vidence.job.v1 import job_service_pb2 as jobs
from vidence.job.v1 import job_service_pb2_grpc as jobs_grpc

WORKER = [sys.executable, "-c", "from vidence_server.suite.worker import worker; worker()"]
OPTIONS = [("grpc.max_send_message_length", 24 << 20), ("grpc.max_receive_message_length", 24 << 20)]


def request(*contents: bytes) -> pb.ReadBatchRequest:
    return pb.ReadBatchRequest(images=[batch_pb2.BatchImage(content=content) for content in contents])


@pytest.mark.requirement("R-BA1")
async def test_a_batch_reads_what_the_extraction_service_reads(
    suite: LiveSuite, passport: bytes, page: bytes
) -> None:
    async with grpc.aio.insecure_channel(suite.address, options=OPTIONS) as channel:
        answer = await pb_grpc.BatchServiceStub(channel).ReadBatch(request(passport, b"", page))
        alone = [
            await extraction_grpc.ExtractionServiceStub(channel).ReadDocument(
                extraction.ReadDocumentRequest(content=content)
            )
            for content in (passport, page)
        ]
    assert [outcome.WhichOneof("outcome") for outcome in answer.outcomes] == ["document", "error", "document"]
    assert [answer.outcomes[0].document, answer.outcomes[2].document] == [one.document for one in alone]


@pytest.fixture
def without_workers(tmp_path: Path) -> Iterator[LiveSuite]:
    live = start_suite("batch", environ={"VIDENCE_BATCH__WORKERS": "0", "VIDENCE_DATA_DIR": str(tmp_path)})
    yield live
    stop_suite(live)


@pytest.mark.requirement("R-OP2")
async def test_a_worker_in_a_process_of_its_own_reads_for_a_service_without_any(
    without_workers: LiveSuite, passport: bytes, tmp_path: Path
) -> None:
    environ = {
        **os.environ,
        "VIDENCE_METRICS__ENABLED": "false",
        "VIDENCE_DATA_DIR": str(tmp_path / "worker"),
    }
    with subprocess.Popen([*WORKER, without_workers.address, "--concurrency", "1"], env=environ) as worker:
        try:
            async with grpc.aio.insecure_channel(without_workers.address, options=OPTIONS) as channel:
                answer = await pb_grpc.BatchServiceStub(channel).ReadBatch(request(passport), timeout=60)
                (known,) = (
                    await jobs_grpc.JobServiceStub(channel).ListWorkers(jobs.ListWorkersRequest())
                ).workers
        finally:
            worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_S) == 0
    assert answer.outcomes[0].document.document_type == "passport"
    assert (known.concurrency, known.completed_count) == (1, 1)
