"""Several steps of one model as one run: stacked along axis 0, and the outputs cut apart again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.jobs import Array, Job, ModelStep, Tensors


def companions(head: ModelStep, waiting: Iterable[Job], max_batch: int) -> list[Job]:
    """Waiting jobs, in their order, that fit into one run with `head`: at most `max_batch` rows in total."""
    rows = head.rows
    if rows == 0 or 2 * rows > max_batch:
        return []
    room = max_batch // rows - 1
    signature = head.signature
    chosen: list[Job] = []
    for job in waiting:
        if len(chosen) == room:
            break
        if isinstance(job.work, ModelStep) and job.work.signature == signature:
            chosen.append(job)
    return chosen


def stack(steps: Sequence[ModelStep]) -> Tensors:
    """Inputs of equal signature joined along axis 0."""
    return {name: np.concatenate([step.inputs[name] for step in steps]) for name in steps[0].inputs}


def split(outputs: Sequence[Array], parts: int) -> list[tuple[Array, ...]]:
    """Outputs of a stacked run cut into equal parts along axis 0, in the order of the stacked steps.

    Raises:
        DomainError: INTERNAL, when an output has no axis 0 that divides: the model does not batch.
    """
    for output in outputs:
        if output.ndim == 0 or output.shape[0] % parts:
            raise DomainError(
                Reason.INTERNAL, f"A model output of shape {output.shape} cannot be split into {parts} parts."
            )
    return list(zip(*(np.split(output, parts) for output in outputs), strict=True))
