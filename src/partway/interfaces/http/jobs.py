"""Jobs: submissions as the API tells of them.

A job's log holds what happened as (id, event, facts); watchers read it from any point, so that one
who comes late or again misses nothing. A preview replaces the one before it. Everything here runs
in the event loop; pictures are encoded in threads.
"""

from __future__ import annotations

import asyncio
import secrets
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from partway.errors import Cancelled, PartwayError, as_typed
from partway.events import Done, Event, Failed, Preview, Queued, Started, Step
from partway.interfaces.facts import plan_facts
from partway.interfaces.http.errors import NotFound, facts_of
from partway.interfaces.http.results import data_url, encode_result

if TYPE_CHECKING:
    from partway.executors import Submission
    from partway.outline import Outline
    from partway.request import EditRequest
    from partway.result import EditResult

KEPT_SECONDS = 3600.0
KEPT_BYTES = 512 * 2**20
KEPT_JOBS = 4096
FINAL = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a job's log; ids rise."""

    id: int
    event: str
    facts: dict[str, Any]


def _number(entry: Entry) -> int:
    return entry.id


@dataclass(frozen=True, eq=False)
class Checked:
    """A request that was found good, what it comes to, and hints for whoever made it."""

    request: EditRequest
    outline: Outline
    hints: list[str]


class Job:
    """One submission.

    format_name  of the files, a key of results.FORMATS
    metadata     whether they say how they were made
    keep_gps     whether they say where the source was taken, if it does
    """

    def __init__(
        self,
        checked: Sequence[Checked],
        format_name: str,
        *,
        metadata: bool = True,
        keep_gps: bool = False,
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.format = format_name
        self.metadata = metadata
        self.keep_gps = keep_gps
        self.created = time()
        self.status = "queued"
        self.position: int | None = 0
        self.results = [_waiting(index, each) for index, each in enumerate(checked)]
        self.errors: dict[int, PartwayError] = {}
        self.files: dict[int, bytes] = {}
        self.log: list[Entry] = []
        self.previews: dict[int, Entry] = {}  # the latest of each result, beside the log
        self.ended: float | None = None
        self.submission: Submission | None = None
        self.stopping = False  # it was asked to
        self._next_id = 1
        self._news = asyncio.Event()
        self._inbox: asyncio.Queue[Event] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._follow())

    @property
    def url(self) -> str:
        """Where it is found."""
        return f"/v1/jobs/{self.id}"

    @property
    def finished(self) -> bool:
        """Whether all of it is done, failed or cancelled."""
        return self.ended is not None

    @property
    def nbytes(self) -> int:
        """Memory it takes, about."""
        files = sum(len(data) for data in self.files.values())
        previews = sum(len(each.facts["image"]) for each in self.previews.values())
        return files + previews + 500 * len(self.log) + 4000 * len(self.results)

    @property
    def error(self) -> PartwayError | None:
        """The first error, where no result is done."""
        failed = self.finished and len(self.errors) == len(self.results)
        return self.errors[min(self.errors)] if failed else None

    def hear(self, event: Event) -> None:
        """Take an event in, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, event)
        except RuntimeError:  # the loop has closed: nobody is left to tell
            return

    def facts(self) -> dict[str, Any]:
        """What GET /v1/jobs/ID answers."""
        return {
            "id": self.id,
            "status": self.status,
            "position": self.position,
            "results": self.results,
        }

    def forget(self) -> None:
        """Stop listening: it was not accepted."""
        self._task.cancel()

    async def wait(self) -> None:
        """Until it is finished."""
        while not self.finished:
            await self._news.wait()

    async def watch(self, after: int = 0, every: float = 15.0) -> AsyncIterator[Entry | None]:
        """Entries of the log from the one behind `after` on; None where `every` seconds passed
        without one. Ends with the job.
        """
        while True:
            entries = self.log[bisect_right(self.log, after, key=_number) :]
            entries += [each for each in self.previews.values() if each.id > after]
            for entry in sorted(entries, key=_number):
                after = entry.id
                yield entry
            if entries:
                continue
            if self.finished:
                return
            try:
                await asyncio.wait_for(self._news.wait(), every)
            except TimeoutError:
                yield None

    async def _follow(self) -> None:
        """Take events one after the other until every request has had its last."""
        while len(self.errors) + len(self.files) < len(self.results):
            await self._take(await self._inbox.get())
        states = {result["status"] for result in self.results}
        self.status = next(state for state in FINAL if state in states)
        self.submission = None  # its pixels are not needed any more, nor what led to them
        self.previews.clear()
        self.ended = monotonic()
        self._say("end", {"status": self.status})

    async def _take(self, event: Event) -> None:
        result = self.results[event.index]
        index = event.index
        if isinstance(event, Queued):
            if not self.log or self.position != event.ahead:
                self.position = event.ahead
                self._say("queued", {"position": event.ahead})
        elif isinstance(event, Started):
            self.status, self.position = "running", None
            plan = plan_facts(event.plan, event.evaluations, result["plan"]["model"])
            result.update(status="running", plan=plan, done=0, total=event.evaluations)
            self._say("started", {"index": index, "plan": plan, "total": event.evaluations})
        elif isinstance(event, Step):
            result["done"], result["total"] = event.done, event.total
            level = event.level.noise_fraction
            facts = {"done": event.done, "total": event.total, "noise_fraction": level}
            self._say("step", {"index": index, **facts})
        elif isinstance(event, Preview):
            with suppress(Exception):  # a preview that cannot be made ends nothing
                image = await asyncio.to_thread(data_url, event.image)
                self._say("preview", {"index": index, "done": event.done, "image": image})
        elif isinstance(event, Done):
            await self._finish(index, event.result)
        elif isinstance(event, Failed):
            self._fail(index, event.error)
        else:
            self._cancelled(index)

    async def _finish(self, index: int, outcome: EditResult) -> None:
        """Encode the file and tell of it; what cannot be encoded has failed."""
        try:
            data, note = await asyncio.to_thread(
                encode_result,
                outcome,
                self.format,
                metadata=self.metadata,
                keep_gps=self.keep_gps,
            )
        except Exception as error:  # noqa: BLE001
            self._fail(index, as_typed(error))
            return
        kept = outcome.kept
        result = self.results[index]
        result.update(
            status="done",
            plan=plan_facts(outcome.plan, outcome.evaluations, outcome.model),
            done=outcome.evaluations,
            total=outcome.evaluations,
            kept=None if kept is None else {"structure": kept.structure, "color": kept.color},
            seconds=round(outcome.seconds, 3),
            evaluations=outcome.evaluations,
            image=f"{self.url}/images/{index}",
            width=outcome.image.width,
            height=outcome.image.height,
            model=outcome.model,
            precision=outcome.precision,
            mode=outcome.mode,
            warnings=[*outcome.warnings, *([] if note is None else [note])],
        )
        self.files[index] = data
        self._say("done", result)

    def _fail(self, index: int, error: PartwayError) -> None:
        self.errors[index] = error
        self.results[index].update(status="failed", error=facts_of(error))
        self._say("failed", {"index": index, **facts_of(error)})

    def _cancelled(self, index: int) -> None:
        self.errors[index] = Cancelled("cancelled")
        self.results[index].update(status="cancelled")
        self._say("cancelled", {"index": index})

    def _say(self, event: str, facts: dict[str, Any]) -> None:
        """Add a line to the log and wake all who watch."""
        entry = Entry(self._next_id, event, facts)
        if event == "preview":
            self.previews[facts["index"]] = entry
        else:
            self.log.append(entry)
        self._next_id += 1
        self._news.set()
        self._news = asyncio.Event()


def _waiting(index: int, checked: Checked) -> dict[str, Any]:
    """The facts of a request that waits."""
    request, outline = checked.request, checked.outline
    model = None if outline.profile is None else outline.profile.name
    return {
        "index": index,
        "status": "queued",
        "strength": request.effective_strength,
        "keep": None,
        "runs": None,
        "seed": request.seed,
        "plan": plan_facts(outline.plan, outline.evaluations, model),
        "done": 0,
        "total": outline.evaluations,
        "kept": None,
        "seconds": None,
        "evaluations": None,
        "image": None,
        "width": None,
        "height": None,
        "model": model,
        "precision": None,
        "mode": None,
        "warnings": [],
        "hints": checked.hints,
        "error": None,
    }


class Jobs:
    """The jobs that are remembered: all that run, and finished ones within a budget."""

    def __init__(
        self, seconds: float = KEPT_SECONDS, nbytes: int = KEPT_BYTES, most: int = KEPT_JOBS
    ) -> None:
        self._seconds = seconds
        self._nbytes = nbytes
        self._most = most
        self._jobs: dict[str, Job] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Remember a job."""
        self._sweep()
        self._jobs[job.id] = job

    def get(self, name: str) -> Job:
        """A job by its id; NotFound where there is none any more."""
        self._sweep()
        if name not in self._jobs:
            raise NotFound(f"no job {name!r}: unknown, or finished too long ago")
        return self._jobs[name]

    @property
    def busy(self) -> bool:
        """Whether one is unfinished: its files may still be made when all of it has run."""
        return any(not job.finished for job in self.all())

    def all(self) -> list[Job]:
        """Every remembered job, oldest first."""
        return list(self._jobs.values())

    def _sweep(self) -> None:
        """Forget finished jobs that are too old, then the oldest beyond the budget.

        The latest stays, however large: somebody is about to fetch it.
        """
        finished = [job for job in self._jobs.values() if job.ended is not None]
        finished.sort(key=lambda job: job.ended or 0.0)
        used, count = sum(job.nbytes for job in finished), len(finished)
        for job in finished:
            old = monotonic() - (job.ended or 0.0) > self._seconds
            beyond = (used > self._nbytes or count > self._most) and job is not finished[-1]
            if old or beyond:
                used, count = used - job.nbytes, count - 1
                del self._jobs[job.id]
