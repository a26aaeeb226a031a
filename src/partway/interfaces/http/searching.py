"""A strength that is looked for: runs one after the other, told as one job.

Each run has a place in the queue of its own, so that a search keeps nobody waiting for longer than
one edit does. What is found is the job's result.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from partway.edits.target import Trials, trials
from partway.errors import InvalidRequest, as_typed
from partway.events import Done, Event, Failed, WasCancelled
from partway.outline import calibration_of

if TYPE_CHECKING:
    from partway.edits.target import Found
    from partway.executors import Executor
    from partway.interfaces.http.jobs import Checked, Job
    from partway.request import EditRequest
    from partway.result import EditResult
    from partway.run import Mode


def trials_of(checked: list[Checked], keep: float) -> tuple[Trials, EditRequest]:
    """The search of a request's strength, and its first run; InvalidRequest for several."""
    if len(checked) != 1:
        raise InvalidRequest(f"keep finds the strength of one picture: {len(checked)} are asked")
    request, profile = checked[0].request, checked[0].outline.profile
    if profile is None:
        raise AssertionError("a strength that is looked for is not 0")
    gain, curve = calibration_of(request, profile)
    walk = trials(request, keep, gain=gain, curve=curve)
    return walk, next(walk)


class Search:
    """The runs of a search.

    job      that tells of them; its one result is what is found
    keep     the share that was asked for
    seconds  all of them may take, waiting included
    """

    def __init__(
        self,
        executor: Executor,
        job: Job,
        walk: Trials,
        keep: float,
        *,
        mode: Mode,
        preview_every: int,
        seconds: float,
    ) -> None:
        self._executor = executor
        self._job = job
        self._walk = walk
        self._keep = keep
        self._mode: Mode = mode
        self._preview_every = preview_every
        self._end = monotonic() + seconds
        self._loop = asyncio.get_running_loop()

    def run(self, request: EditRequest, *, follows: bool = False) -> None:
        """Have the executor run one; errors as of its `submit`.

        follows  it is not the first: what was accepted is finished
        """
        self._job.submission = self._executor.submit(
            [request],
            mode=self._mode,
            preview_every=self._preview_every,
            seconds=max(self._end - monotonic(), 0.001),
            on_event=self._hear,
            keep=False,
            follows=follows,
        )

    def _hear(self, event: Event) -> None:
        """Pass an event on, from any thread; a finished picture is a trial first."""
        if not isinstance(event, Done):
            self._job.hear(event)
            return
        try:
            self._loop.call_soon_threadsafe(self._go_on, event.result)
        except RuntimeError:  # the loop has closed: nobody is left to tell
            return

    def _go_on(self, result: EditResult) -> None:
        """The next run, or the end."""
        if self._job.stopping:
            self._job.hear(WasCancelled(0))
            return
        try:
            self.run(self._walk.send(result), follows=True)
        except StopIteration as done:
            self._finish(done.value)
        except Exception as error:  # noqa: BLE001  whatever it is, nobody waits for ever
            self._job.hear(Failed(0, as_typed(error)))

    def _finish(self, found: Found) -> None:
        facts = self._job.results[0]
        facts.update(strength=found.strength, keep=self._keep, runs=found.renders)
        if found.missed(self._keep):
            facts["hints"] = [
                *facts["hints"],
                f"no strength was found within 2 points of {100 * self._keep:g} %",
            ]
        self._job.hear(Done(0, found.result))
