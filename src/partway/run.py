"""A run: requests join, are served together by shared network calls, and leave.

    add ──► prepare ──► Task ──► batcher ──► finish ──► Done | Failed
                                    ▲
                     step: one network call for as many tasks as fit

A list of requests is a run that takes all of them up and steps until none is left; a server's run
never ends. The run knows no model and no picture: a task brings a job for the batcher and two
functions that turn latents into pictures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from partway.batcher import Batcher, Broken, Finished, Job, Outcome
from partway.errors import NonFinite, PartwayError, as_typed
from partway.events import Done, Event, Failed, Preview, Queued, Started, Step, WasCancelled
from partway.request import EditRequest
from partway.result import EditResult

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.denoiser import Array
    from partway.plan import Plan

Mode: TypeAlias = Literal["exact", "shared"]


@dataclass(eq=False)
class Task:
    """A request ready to run.

    evaluations  network calls it will take
    precision    of its network
    job          its sampler, for the batcher
    finish       final latents → result
    preview      clean estimate → picture
    """

    index: int
    request: EditRequest
    plan: Plan
    evaluations: int
    precision: str
    job: Job
    finish: Callable[[Array], EditResult]
    preview: Callable[[Array], Image]


@dataclass(frozen=True, eq=False)
class Asked:
    """A request as it was made, and how it is to be served."""

    request: EditRequest
    mode: Mode
    preview_every: int
    repeated: bool = False


class Run:
    """The state of one run.

    prepare  makes a task of a request under its index, or its result where nothing has to run
    """

    def __init__(
        self, prepare: Callable[[Mode, int, EditRequest], Task | EditResult], batcher: Batcher
    ) -> None:
        self._prepare = prepare
        self._batcher = batcher
        self._tasks: dict[int, Task] = {}
        self._asked: dict[int, Asked] = {}

    def __len__(self) -> int:
        """Number of requests that wait for network calls."""
        return len(self._tasks)

    def serve(
        self,
        requests: Sequence[EditRequest],
        mode: Mode,
        preview_every: int = 0,
        cancel: threading.Event | None = None,
    ) -> Generator[Event, None, None]:
        """Take all requests up, then step until none is left.

        cancel  set by the caller to stop everything within one evaluation
        Closing the generator drops what is still running.
        """
        try:
            for index in range(len(requests)):
                yield Queued(index, index)
            for index, request in enumerate(requests):
                if cancel is not None and cancel.is_set():
                    yield WasCancelled(index)
                else:
                    yield from self.add(index, request, mode, preview_every)
            while len(self):
                if cancel is not None and cancel.is_set():
                    for index in sorted(self._tasks):
                        yield from self.remove(index)
                    return
                yield from self.step()
        finally:
            self.close()

    def add(
        self, index: int, request: EditRequest, mode: Mode, preview_every: int = 0
    ) -> Iterator[Event]:
        """Take a request up: all that comes before its first network call.

        index          its name in events; no live request has the same
        preview_every  evaluations between previews; 0 is never
        """
        self._asked[index] = Asked(request, mode, preview_every)
        yield from self._take_up(index, request)

    def step(self) -> Iterator[Event]:
        """One network call, and what it brought."""
        for outcome in self._batcher.step():
            yield from self._advance(outcome)

    def remove(self, index: int) -> Iterator[Event]:
        """Cancel a request; one that is not live has had its last event already."""
        if index in self._tasks:
            self._drop(index)
            del self._asked[index]
            yield WasCancelled(index)

    def close(self) -> None:
        """Drop everything that is live."""
        for index in list(self._tasks):
            self._drop(index)
        self._asked.clear()

    def _drop(self, index: int) -> None:
        """Take a task out of the batcher."""
        self._batcher.remove(self._tasks.pop(index).job)

    def _take_up(self, index: int, request: EditRequest) -> Iterator[Event]:
        """Make a task of a request and start its sampler."""
        try:
            task = self._prepare(self._asked[index].mode, index, request)
        except Exception as error:  # noqa: BLE001  one request's failure harms no other
            yield from self._give_up(index, request.precision, as_typed(error))
            return
        if isinstance(task, EditResult):
            yield self._done(index, task)
            return
        self._tasks[index] = task
        yield Started(index, task.plan, task.evaluations)
        yield from self._advance(self._batcher.add(task.job))

    def _advance(self, outcome: Outcome) -> Iterator[Event]:
        """Report what a network call brought for one job; finish or retry it."""
        task = self._tasks[outcome.job.index]
        job = task.job
        if isinstance(outcome, Broken):
            yield from self._fail(task, outcome.error)
            return
        if job.evaluations:
            level = task.plan.levels[-1] if isinstance(outcome, Finished) else job.waiting[0].level
            yield Step(task.index, job.evaluations, task.evaluations, level)
        try:
            if isinstance(outcome, Finished):
                result = task.finish(outcome.latents)
                del self._tasks[task.index]
                yield self._done(task.index, result)
            elif self._preview_due(job) and job.estimate is not None:
                yield Preview(task.index, job.evaluations, task.preview(job.estimate))
        except Exception as error:  # noqa: BLE001
            yield from self._fail(task, as_typed(error))

    def _preview_due(self, job: Job) -> bool:
        every = self._asked[job.index].preview_every
        return every > 0 and job.evaluations > 0 and job.evaluations % every == 0

    def _done(self, index: int, result: EditResult) -> Done:
        """The result under the request that was made, saying so where it was repeated."""
        asked = self._asked.pop(index)
        if asked.repeated:
            note = "NaN or infinity in a lower precision: repeated in fp32"
            result = replace(result, request=asked.request, warnings=(*result.warnings, note))
        return Done(index, result)

    def _fail(self, task: Task, error: PartwayError) -> Iterator[Event]:
        """Give up on a task that runs."""
        self._drop(task.index)
        yield from self._give_up(task.index, task.precision, error)

    def _give_up(self, index: int, precision: str, error: PartwayError) -> Iterator[Event]:
        """After NaN or infinity in a lower precision once more in fp32; else the request failed."""
        asked = self._asked[index]
        if isinstance(error, NonFinite) and precision != "fp32" and not asked.repeated:
            self._asked[index] = replace(asked, repeated=True)
            yield from self._take_up(index, asked.request.with_(precision="fp32"))
        else:
            del self._asked[index]
            yield Failed(index, error)
