"""Every service behind a real Envoy: their health, and which of them the door does not show."""

from __future__ import annotations

import grpc
import httpx
import pytest

from e2e.bridge_door import Door
from vidence.job.v1 import job_service_pb2 as jobs
from vidence.job.v1 import job_service_pb2_grpc as jobs_grpc
from vidence.job.v1 import worker_service_pb2 as worker
from vidence.job.v1 import worker_service_pb2_grpc as worker_grpc


@pytest.mark.requirement("R-WE2", "R-OP3")
async def test_health_names_every_service_the_version_and_one_status(http: httpx.AsyncClient) -> None:
    answer = await http.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert set(health) == {"status", "version", "services"}
    assert health["status"] == "ok"
    names = ("event", "extraction", "capture", "batch", "library", "face", "review")
    assert health["services"] == dict.fromkeys(names, "serving")


@pytest.mark.requirement("R-WE1", "R-BA2")
async def test_nobody_outside_may_lease_the_items_of_workers(door: Door, http: httpx.AsyncClient) -> None:
    address = door.url.removeprefix("http://")
    async with grpc.aio.insecure_channel(address) as channel:
        listed = await jobs_grpc.JobServiceStub(channel).ListWorkers(jobs.ListWorkersRequest())
        assert listed.workers
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await worker_grpc.WorkerServiceStub(channel).LeaseItems(worker.LeaseItemsRequest())
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    web = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    path = "/vidence.job.v1.WorkerService/LeaseItems"
    answer = await http.post(path, content=bytes(5), headers=web)
    assert answer.headers["grpc-status"] == "12"
    for plain in (await http.post(path, json={}), await http.get(path)):
        assert plain.status_code in {404, 405}
