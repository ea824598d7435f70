"""The batch service without a transport: its parts, as the servicers need them."""

from __future__ import annotations

from dataclasses import dataclass

from vidence_server.batch.batches import Batches
from vidence_server.batch.calls import Calls
from vidence_server.batch.desk import Desk
from vidence_server.batch.erasing import SubjectErasing
from vidence_server.batch.jobs import Jobs
from vidence_server.batch.runs import Runs
from vidence_server.batch.watching import Watching
from vidence_server.batch.workers import Workers


@dataclass(frozen=True, slots=True)
class BatchService:
    """What can be asked."""

    batches: Batches
    runs: Runs
    calls: Calls
    jobs: Jobs
    erasing: SubjectErasing
    desk: Desk
    workers: Workers
    watching: Watching
