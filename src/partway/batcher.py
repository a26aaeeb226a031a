"""Many samplers, one network call.

Every live job only waits for estimates of the rows it asked for. The batcher packs the rows of as
many jobs as fit into one call and sends each its answers. Jobs share a call only if their keys are
equal; a key that is unique to a job gives it calls of its own (exact mode).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from partway.denoiser import Array, Network, Row, Rows, denoise
from partway.errors import NonFinite, PartwayError, as_typed

MAX_ROWS = 16


@dataclass(eq=False)
class Job:
    """A sampler on its way.

    index        the caller's name for it
    key          jobs with equal keys may share a network call
    evaluations  answers received so far
    estimate     the latest clean estimate of its first row, for previews
    """

    index: int
    key: Hashable
    network: Network
    rows: Rows
    evaluations: int = 0
    estimate: Array | None = None
    waiting: Sequence[Row] = field(default_factory=tuple[Row, ...])

    def cancel(self) -> None:
        """Drop the sampler; the job takes part in no further call."""
        self.rows.close()


@dataclass(frozen=True, slots=True)
class Advanced:
    """The job got its answers and asks on."""

    job: Job


@dataclass(frozen=True, slots=True)
class Finished:
    """The sampler returned the final latents."""

    job: Job
    latents: Array


@dataclass(frozen=True, slots=True)
class Broken:
    """The job failed; the others of the same call did not."""

    job: Job
    error: PartwayError


Outcome: TypeAlias = Advanced | Finished | Broken


class Batcher:
    """Live jobs, served in turns. `lock` guards the network calls of several threads."""

    def __init__(self, max_rows: int = MAX_ROWS, lock: threading.Lock | None = None) -> None:
        self._max_rows = max_rows
        self._lock = lock or threading.Lock()
        self._live: deque[Job] = deque()

    def __len__(self) -> int:
        """Number of live jobs."""
        return len(self._live)

    def add(self, job: Job) -> Outcome:
        """Take a job up: it runs to its first query, or finishes at once where it asks nothing."""
        outcome = _resume(job, None)
        if isinstance(outcome, Advanced):
            self._live.append(job)
        return outcome

    def remove(self, job: Job) -> None:
        """Cancel a job; the calls of the others are not touched."""
        job.cancel()
        if job in self._live:
            self._live.remove(job)

    def step(self) -> list[Outcome]:
        """One network call for the job that waited longest and those that can share it."""
        packed = self._pack()
        for job in packed:
            self._live.remove(job)
        outcomes = self._call(packed)
        self._live.extend(o.job for o in outcomes if isinstance(o, Advanced))
        return outcomes

    def _pack(self) -> list[Job]:
        """Jobs of one call, oldest first, within the row limit (a first job always fits)."""
        packed: list[Job] = []
        rows = 0
        for job in self._live:
            if packed and not _may_share(job, packed[0]):
                continue
            if packed and rows + len(job.waiting) > self._max_rows:
                break
            packed.append(job)
            rows += len(job.waiting)
        return packed

    def _call(self, jobs: list[Job]) -> list[Outcome]:
        """Run the network on all rows; if that fails, on each job alone to find the guilty one."""
        rows = [row for job in jobs for row in job.waiting]
        try:
            with self._lock:
                estimates = denoise(jobs[0].network, rows)
        except Exception as error:  # noqa: BLE001  whatever the runtime raises ends one job only
            if len(jobs) > 1:
                return [outcome for job in jobs for outcome in self._call([job])]
            jobs[0].cancel()
            return [Broken(jobs[0], as_typed(error))]
        outcomes: list[Outcome] = []
        for job in jobs:
            answer, estimates = estimates[: len(job.waiting)], estimates[len(job.waiting) :]
            outcomes.append(_resume(job, answer))
        return outcomes


def _may_share(job: Job, other: Job) -> bool:
    """Whether two jobs fit one call: equal keys, and latents of one shape at this moment."""
    return job.key == other.key and job.waiting[0].x.shape == other.waiting[0].x.shape


def _resume(job: Job, answer: Sequence[Array] | None) -> Outcome:
    """Send a job its answers (None to start it) and see what it asks next."""
    try:
        if answer is None:
            job.waiting = next(job.rows)
        else:
            if not all(np.isfinite(x0).all() for x0 in answer):
                job.cancel()
                return Broken(job, NonFinite("the network produced NaN or infinity"))
            job.evaluations += 1
            job.estimate = answer[0]
            job.waiting = job.rows.send(answer)
    except StopIteration as done:
        job.waiting = ()  # of what came last nothing is needed
        return Finished(job, done.value)
    except Exception as error:  # noqa: BLE001
        return Broken(job, as_typed(error))
    return Advanced(job)
