"""One run: several requests served together until each is done, failed or cancelled.

    prepare each request ──► Task ──► batcher ──► events ──► finish

The run knows no model and no picture: a task brings a job for the batcher and two functions that
turn latents into pictures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from partway.batcher import Batcher, Broken, Finished, Job, Outcome
from partway.errors import NonFinite, PartwayError, as_typed
from partway.events import Done, Event, Failed, Preview, Queued, Started, Step, WasCancelled
from partway.request import EditRequest
from partway.result import EditResult

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.denoiser import Array
    from partway.plan import Plan


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


class Run:
    """The state of one run.

    prepare        makes a task of request number `index`, or its result where nothing has to run
    preview_every  evaluations between previews; 0 is never
    cancel         set by the caller to stop everything within one evaluation
    """

    def __init__(
        self,
        prepare: Callable[[int, EditRequest], Task | EditResult],
        batcher: Batcher,
        preview_every: int = 0,
        cancel: threading.Event | None = None,
    ) -> None:
        self._prepare = prepare
        self._batcher = batcher
        self._preview_every = preview_every
        self._cancel = cancel
        self._tasks: dict[int, Task] = {}
        self._asked: dict[int, EditRequest] = {}  # what a repeated request was before

    def events(self, requests: Sequence[EditRequest]) -> Generator[Event, None, None]:
        """Take all requests up, then serve them with network calls until none is left.

        Closing the generator drops what is still running.
        """
        try:
            for index in range(len(requests)):
                yield Queued(index, index)
            for index, request in enumerate(requests):
                if self._cancelled:
                    yield WasCancelled(index)
                else:
                    yield from self._take_up(index, request)
            while len(self._batcher):
                if self._cancelled:
                    yield from [WasCancelled(index) for index in sorted(self._tasks)]
                    return
                for outcome in self._batcher.step():
                    yield from self._advance(outcome)
        finally:
            for task in self._tasks.values():
                self._batcher.remove(task.job)

    @property
    def _cancelled(self) -> bool:
        return self._cancel is not None and self._cancel.is_set()

    def _take_up(self, index: int, request: EditRequest) -> Iterator[Event]:
        """Everything before a request's first network call."""
        try:
            task = self._prepare(index, request)
        except Exception as error:  # noqa: BLE001  one request's failure harms no other
            typed = as_typed(error)
            if isinstance(typed, NonFinite) and request.precision != "fp32":
                yield from self._again(index, request)
            else:
                yield Failed(index, typed)
            return
        if isinstance(task, EditResult):
            yield Done(index, task)
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
                yield Done(task.index, self._as_asked(task.index, result))
            elif self._preview_due(job) and job.estimate is not None:
                yield Preview(task.index, job.evaluations, task.preview(job.estimate))
        except Exception as error:  # noqa: BLE001
            yield from self._fail(task, as_typed(error))

    def _again(self, index: int, request: EditRequest) -> Iterator[Event]:
        """Repeat a request in fp32."""
        self._asked[index] = request
        yield from self._take_up(index, request.with_(precision="fp32"))

    def _as_asked(self, index: int, result: EditResult) -> EditResult:
        """The result under the request that was made, saying so where it was repeated."""
        if index not in self._asked:
            return result
        note = "NaN or infinity in a lower precision: repeated in fp32"
        return replace(result, request=self._asked[index], warnings=(*result.warnings, note))

    def _preview_due(self, job: Job) -> bool:
        every = self._preview_every
        return every > 0 and job.evaluations > 0 and job.evaluations % every == 0

    def _fail(self, task: Task, error: PartwayError) -> Iterator[Event]:
        """Give up on a task; after NaN or infinity in a lower precision try once more in fp32."""
        self._batcher.remove(task.job)
        del self._tasks[task.index]
        if isinstance(error, NonFinite) and task.precision != "fp32":
            yield from self._again(task.index, task.request)
        else:
            yield Failed(task.index, error)
