"""Probes of the batch service: batches, jobs, and what workers ask."""

from __future__ import annotations

from typing import Any

from vidence_cli.smoke.probe import Json, Kept, Probe, Unexpected, having
from vidence_cli.smoke.probes.erasure import nobody

_BATCH = "vidence.batch.v1.BatchService"
_JOB = "vidence.job.v1.JobService"
_WORKER = "vidence.job.v1.WorkerService"
_NOBODY = "wrk_019f0000-0000-7000-8000-000000000000"
_PROBE = "wrk_019f0000-0000-7000-8000-000000000001"
_NO_LEASE = {"item_id": "itm_019f0000-0000-7000-8000-000000000000", "lease_token": 1}
_PRESENCE = {"worker_id": _PROBE, "name": "smoke", "concurrency": 1, "operations": ["smoke"]}


def _image(kept: Kept) -> Json:
    return {"content": kept.picture, "file_name": "smoke.png", "document_type": "text"}


def _batch(kept: Kept) -> Json:
    return {"batch_id": kept["batch"]}


def _uploaded(kept: Kept) -> Json:
    return {"batch_id": kept["uploaded_batch"]}


def _keep_batch(kept: Kept, answer: Any) -> None:
    kept["batch"] = answer.batch.batch_id


def _keep_uploaded(kept: Kept, answer: Any) -> None:
    kept["uploaded_batch"] = answer.batch.batch_id


def _keep_job(kept: Kept, answer: Any) -> None:
    kept["job"] = answer.job.job_id


def _read(_kept: Kept, answer: Any) -> None:
    [outcome] = answer.outcomes
    if not outcome.HasField("document"):
        raise Unexpected("the picture was not read")


_BATCHES = (
    Probe(f"{_BATCH}/CreateBatch", keep=_keep_batch),
    Probe(f"{_BATCH}/AddBatchItem", lambda kept: {**_batch(kept), "image": _image(kept)}),
    Probe(f"{_BATCH}/GetBatchItemImage", _batch, having("image_complete")),
    Probe(f"{_BATCH}/StartBatch", _batch),
    Probe(f"{_BATCH}/WatchBatch", _batch, having("complete")),
    Probe(f"{_BATCH}/GetBatch", _batch),
    Probe(f"{_BATCH}/ListBatches", lambda _kept: {"page_size": 1}),
    Probe(f"{_BATCH}/ListBatchItems", _batch),
    # Nothing failed.
    Probe(f"{_BATCH}/RetryItems", _batch, refusal="BATCH_EMPTY"),
    Probe(f"{_BATCH}/DeleteBatch", _batch),
    Probe(
        f"{_BATCH}/UploadBatch",
        lambda kept: [{"opening": {}}, {"item": {"image": _image(kept)}}],
        keep=_keep_uploaded,
    ),
    Probe(f"{_BATCH}/CancelBatch", _uploaded),
    Probe(f"{_BATCH}/ProcessBatch", lambda kept: {"images": [_image(kept)]}, having("complete")),
    Probe(f"{_BATCH}/ReadBatch", lambda kept: {"images": [_image(kept)]}, keep=_read),
)
_JOBS = (
    Probe(
        f"{_JOB}/SubmitJob",
        lambda kept: {"read_document": {"content": kept.picture, "document_type": "text"}},
        keep=_keep_job,
    ),
    Probe(f"{_JOB}/GetJob", lambda kept: {"job_id": kept["job"]}),
    Probe(f"{_JOB}/WatchJob", lambda kept: {"job_id": kept["job"]}, having("complete")),
    Probe(f"{_JOB}/ListJobs", lambda _kept: {"page_size": 1}),
    Probe(f"{_JOB}/CancelJob", lambda kept: {"job_id": kept["job"]}),
    Probe(f"{_JOB}/ListWorkers"),
    Probe(f"{_JOB}/DrainWorker", lambda _kept: {"worker_id": _NOBODY}, refusal="WORKER_NOT_FOUND"),
    Probe(
        f"{_JOB}/SetWorkerConcurrency",
        lambda _kept: {"worker_id": _NOBODY, "concurrency": 1},
        refusal="WORKER_NOT_FOUND",
    ),
    Probe(f"{_JOB}/GetQueueStatistics"),
    Probe(f"{_JOB}/ListDeadLetters", lambda _kept: {"page_size": 1}),
    Probe(f"{_JOB}/RequeueDeadLetters", lambda _kept: {"item_ids": [_NO_LEASE["item_id"]]}),
)
# An operation that there is none of: a probe takes no work.
_WORKERS = (
    Probe(f"{_WORKER}/LeaseItems", lambda _kept: {"worker": _PRESENCE}, inside=True),
    Probe(f"{_WORKER}/GetItemContent", lambda _kept: {"lease": _NO_LEASE}, refusal="LEASE_LOST", inside=True),
    Probe(f"{_WORKER}/ExtendLeases", lambda _kept: {"worker": _PRESENCE}, inside=True),
    Probe(
        f"{_WORKER}/CompleteItem",
        lambda _kept: {
            "worker_id": _NOBODY,
            "lease": _NO_LEASE,
            "duration": "1s",
            "error": {"code": 13, "message": "a probe"},
        },
        refusal="LEASE_LOST",
        inside=True,
    ),
    Probe(f"{_WORKER}/ReleaseItems", lambda _kept: {"worker_id": _NOBODY}, inside=True),
)
PROBES = (*_BATCHES, *_JOBS, *_WORKERS, Probe(f"{_BATCH}/EraseSubject", nobody))
CLEAN_UP = (
    Probe(f"{_BATCH}/CancelBatch", _batch),
    Probe(f"{_BATCH}/DeleteBatch", _batch),
    Probe(f"{_BATCH}/DeleteBatch", _uploaded),
)
