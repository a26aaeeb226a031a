"""The executor of this machine: a bounded queue in front of one worker.

    submit ──► queue ──► admit: fewest running first, then oldest ──► worker (one live run)
                                                                        │
    Submission.tell ◄──────────────── reports ──────────────────────────┘

A request is handed to the worker as soon as there is a place, and shares the network calls of those
that run. A submission holds at most half of the places, so that a sweep of a hundred cells leaves
room for a single edit that comes later.

A worker that ends or says nothing for too long is replaced. What ran on it runs again, each request
alone; one that ends its worker a second time is refused from then on. An executor is lost only
where workers end before they are up, several times in a row.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from time import monotonic

from partway.engine import Engine
from partway.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidRequest,
    PartwayError,
    QueueFull,
    Unavailable,
    WorkerLost,
)
from partway.events import Done, Event, Failed, Queued, Step, WasCancelled
from partway.executors import Listener, Status, Submission
from partway.executors.entries import Entry, Running, sizes, weight
from partway.executors.pace import Pace
from partway.executors.suspects import Suspects, quarantined
from partway.executors.worker import Add, MakeEngine, Remove, Report, Start, Worker, in_process
from partway.request import EditRequest
from partway.run import Mode

log = logging.getLogger(__name__)

PLACES = 32  # requests that run at once, of all submissions
MAX_PIXELS = 48_000_000  # of their results together, bounds memory; one request always runs
MAX_BYTES = 512 * 2**20  # of pictures they bring, running and waiting
STALLED = 600.0  # seconds without a word from a worker that has work; loading a model is silent
TICK = 0.1  # seconds between looks at deadlines
FALSE_STARTS = 5  # workers that end before they are up, in a row


class LocalExecutor:
    """One worker and its queue.

    start       in_process (default) or in_thread
    queue_size  submissions that may wait
    places      requests that may run at once
    stalled     seconds after which a silent worker is given up
    """

    def __init__(
        self,
        start: Start = in_process,
        make_engine: MakeEngine = Engine,
        *,
        queue_size: int = 32,
        places: int = PLACES,
        stalled: float = STALLED,
    ) -> None:
        self._start = start
        self._make_engine = make_engine
        self._queue_size = queue_size
        self._places = places
        self._share = max(places // 2, 1)
        self._stalled = stalled
        self._lock = threading.Condition(threading.RLock())
        self._keys = count()
        self._entries: dict[Submission, Entry] = {}  # oldest first
        self._running: dict[int, Running] = {}
        self._suspects = Suspects()
        self._pace = Pace()
        self._up = self._draining = self._closed = False
        self._finished = self._evaluations = self._calls = self._restarts = 0
        self._false_starts = 0
        self._heard = monotonic()
        with self._lock:
            self._worker = self._new_worker()
        self._watch = threading.Thread(target=self._keep_watch, name="partway-watch", daemon=True)
        self._watch.start()

    def submit(
        self,
        requests: Sequence[EditRequest],
        *,
        mode: Mode = "shared",
        preview_every: int = 0,
        seconds: float | None = None,
        on_event: Listener | None = None,
        keep: bool = True,
        follows: bool = False,
    ) -> Submission:
        """Accept requests, or raise QueueFull, Unavailable or Quarantined at once."""
        if not requests:
            raise InvalidRequest("nothing to do: no request")
        submission = Submission(requests, on_event, keep=keep)
        entry = Entry(submission, mode, preview_every, seconds, sizes(requests))
        with self._lock:
            self._check_open(follows=follows)
            if self._suspects and any(
                self._suspects.guilty(entry.digest(i)) for i in entry.waiting
            ):
                raise quarantined()
            if not follows:
                self._check_room(entry)
            ahead = len(self._waiting())
            self._entries[submission] = entry
            for index in entry.waiting:
                submission.tell(Queued(index, ahead))
            self._admit()
        return submission

    def cancel(self, submission: Submission) -> None:
        """Stop these requests within one evaluation; no other is touched."""
        with self._lock:
            if submission in self._entries:
                self._end(self._entries[submission], Cancelled("cancelled"))
                self._admit()

    def position(self, submission: Submission) -> int | None:
        """How many submissions are served before this one; None once it runs."""
        with self._lock:
            waiting = [entry.submission for entry in self._waiting()]
            return waiting.index(submission) if submission in waiting else None

    def status(self) -> Status:
        """The executor at this moment."""
        with self._lock:
            return Status(
                ready=self._up and not self._draining,
                queued=len(self._waiting()),
                running=len(self._running),
                finished=self._finished,
                evaluations=self._evaluations,
                calls=self._calls,
                restarts=self._restarts,
            )

    def drain(self) -> None:
        """Accept nothing more; finish what was accepted."""
        with self._lock:
            self._draining = True

    def close(self, grace: float = 0.0) -> None:
        """Drain for up to `grace` seconds, cancel the rest and stop."""
        with self._lock:
            self._draining = True
            self._lock.wait_for(lambda: not self._entries, grace)
            for entry in list(self._entries.values()):
                self._end(entry, Unavailable("the server is stopping: send it again later"))
            self._closed = True
            self._lock.notify_all()
            self._worker.stop()
        self._watch.join()

    def _check_open(self, *, follows: bool) -> None:
        """Unavailable where nothing is accepted."""
        if self._closed or (self._draining and not follows):
            raise Unavailable("the server is stopping: send it again later")
        if self._false_starts >= FALSE_STARTS:
            raise WorkerLost("no worker comes up; the server's log says why")

    def _check_room(self, entry: Entry) -> None:
        """QueueFull where as many wait as may, in number or in bytes."""
        waiting = self._waiting()
        starts = not waiting and self._up and len(self._running) < self._places
        held = weight([*self._entries, entry.submission])
        full = len(waiting) >= self._queue_size and not starts
        if full or (self._entries and held > MAX_BYTES):
            after = self._pace.seconds_for(len(waiting) + 1)
            raise QueueFull(
                f"{len(waiting)} jobs wait already: try again in {after} seconds", after
            )

    def _waiting(self) -> list[Entry]:
        """Submissions of which nothing was started, oldest first."""
        return [entry for entry in self._entries.values() if entry.started is None]

    def _admit(self) -> None:
        """Hand requests to the worker while there is a place."""
        before = self._waiting()
        while self._up and (entry := self._next()) is not None:
            index = entry.waiting.popleft()
            if entry.started is None:
                entry.started = monotonic()
            if not self._running:
                self._heard = monotonic()
            key = next(self._keys)
            self._running[key] = Running(entry, index)
            request = entry.submission.requests[index]
            self._worker.tell(Add(key, request, entry.mode, entry.preview_every))
        after = self._waiting()
        if after != before:
            for ahead, entry in enumerate(after):
                for index in entry.waiting:
                    entry.submission.tell(Queued(index, ahead))

    def _next(self) -> Entry | None:
        """Whose request is taken up next: fewest running, then oldest; None where none may be.

        A request that was there when a worker ended runs alone, and only the guilty one ends it
        again.
        """
        running = list(self._running.values())
        candidates = [entry for entry in self._entries.values() if entry.waiting]
        if not candidates or len(running) >= self._places:
            return None
        if any(self._deaths_of(each.entry, each.index) for each in running):
            return None
        held = Counter(each.entry.submission for each in running)
        entry = min(candidates, key=lambda each: held[each.submission])
        index = entry.waiting[0]
        if not running:
            return entry
        used = sum(each.pixels for each in running) + entry.pixels[index]
        if self._deaths_of(entry, index) or used > MAX_PIXELS:
            return None  # it waits until it can be alone, or has room
        return entry if held[entry.submission] < self._share else None

    def _deaths_of(self, entry: Entry, index: int) -> int:
        """How often a worker ended while this request ran on it."""
        return self._suspects.deaths(entry.digest(index)) if self._suspects else 0

    def _end(self, entry: Entry, error: PartwayError) -> None:
        """Give up what is left of a submission.

        Requests that run hear it from the worker where they were cancelled: then it is true.
        """
        entry.ended = error
        for index in entry.waiting:
            entry.tell_last(index)
        entry.waiting.clear()
        for key, each in self._running.items():
            if each.entry is entry:
                self._worker.tell(Remove(key))
                if not isinstance(error, Cancelled):
                    entry.tell_last(each.index)
        self._settle(entry)

    def _settle(self, entry: Entry) -> None:
        """Forget a submission that has all its outcomes."""
        if entry.submission.finished and entry.submission in self._entries:
            del self._entries[entry.submission]
            self._finished += 1
            if entry.started is not None:
                self._pace.finished(entry.started)
            self._lock.notify_all()

    def _hear(self, worker: Worker, report: Report) -> None:
        """Take a worker's report in; one that was given up is not listened to."""
        with self._lock:
            if worker is not self._worker:
                return
            self._up, self._false_starts = True, 0
            self._heard = monotonic()
            self._calls += report.calls
            for event in report.events:
                self._pass_on(event)
            self._admit()

    def _pass_on(self, event: Event) -> None:
        """Tell a submission what happened to one of its requests."""
        running = self._running.get(event.index)
        if running is None:
            return
        entry, index = running.entry, running.index
        self._evaluations += isinstance(event, Step)
        if isinstance(event, Done) and self._suspects:
            self._suspects.clear(entry.digest(index))
        if isinstance(event, (Done, Failed, WasCancelled)):
            del self._running[event.index]
        entry.submission.tell(replace(event, index=index))
        self._settle(entry)

    def _lose(self, worker: Worker) -> None:
        """Replace a worker that ended; what ran on it is run again or refused."""
        with self._lock:
            if worker is not self._worker or self._closed:
                return
            self._false_starts += not self._up
            self._up = False
            self._restarts += 1
            log.error("a worker ended with %d requests running", len(self._running))
            lost, self._running = list(self._running.values()), {}
            for each in reversed(lost):
                self._suspect(each.entry, each.index)
            if self._false_starts < FALSE_STARTS:
                self._worker = self._new_worker()
                return
            for entry in list(self._entries.values()):
                self._end(entry, WorkerLost("no worker comes up; the server's log says why"))

    def _suspect(self, entry: Entry, index: int) -> None:
        """Count a death against a request; back to the queue, or refused for good."""
        digest = entry.digest(index)
        self._suspects.accuse(digest)
        if self._suspects.guilty(digest):
            entry.submission.tell(Failed(index, quarantined()))
        elif entry.ended is not None:
            entry.tell_last(index)
        else:
            entry.waiting.appendleft(index)
        self._settle(entry)

    def _new_worker(self) -> Worker:
        """Start a worker; it is up with its first report."""
        worker = self._start(self._make_engine, self._hear, self._lose)
        self._heard = monotonic()
        worker.start()
        return worker

    def _keep_watch(self) -> None:
        """Look for deadlines that passed and for a worker that says nothing."""
        with self._lock:
            while not self._closed:
                self._lock.wait(TICK)
                for entry in list(self._entries.values()):
                    self._check_deadline(entry)
                busy = bool(self._running) or not self._up
                silent = monotonic() - self._heard > self._stalled
                if busy and silent and not self._closed and self._false_starts < FALSE_STARTS:
                    log.error("a worker said nothing for %g s and is replaced", self._stalled)
                    self._worker.stop()
                    self._lose(self._worker)

    def _check_deadline(self, entry: Entry) -> None:
        """Give a submission up whose time is over."""
        over = entry.seconds is not None and monotonic() - entry.submitted > entry.seconds
        if over and entry.ended is None:
            self._end(entry, DeadlineExceeded(f"not finished within {entry.seconds:g} seconds"))
            self._admit()
