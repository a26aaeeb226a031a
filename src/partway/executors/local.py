"""The executor of this process: a bounded queue in front of one or several workers.

    submit ──► queue ──► admit: fewest running first, then oldest ──► the worker with the fewest
                                                                       (each one live run)
    Submission.tell ◄──────────────── reports ─────────────────────────────┘

A request is handed to a worker as soon as there is a place, and shares the network calls of those
that run there. A submission holds at most half of the places, so that a sweep of a hundred cells
leaves room for a single edit that comes later. Workers are threads, processes on devices of this
machine, or actors of a Ray cluster: the queue, and what is known of every job, stay here.

A worker that ends or says nothing for too long is replaced. What ran on it runs again, each request
alone; one that ends its worker a second time is refused from then on. An executor is lost only
where workers end before they are up, several times in a row, in all of their places. How many
there are follows what waits (scaling.py).
"""

from __future__ import annotations

import logging
import threading
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
from partway.executors.admission import Admission
from partway.executors.entries import Entry, Running, sizes, weight
from partway.executors.pace import Pace
from partway.executors.places import Place
from partway.executors.scaling import IDLE, Scaling
from partway.executors.suspects import Suspects, quarantined
from partway.executors.worker import Add, MakeEngine, Remove, Report, Start, Worker, in_process
from partway.request import EditRequest
from partway.run import Mode

log = logging.getLogger(__name__)

PLACES = 32  # requests that run at once on a worker, of all submissions
MAX_BYTES = 512 * 2**20  # of pictures they bring, running and waiting
STALLED = 600.0  # seconds without a word from a worker that has work; loading a model is silent
TICK = 0.1  # seconds between looks at deadlines
FALSE_STARTS = 5  # workers that end before they are up, in a row


class LocalExecutor:
    """Workers and their queue.

    start       in_process (default), in_thread, or executors.ray.on_ray
    engines     one for each worker there may be: a module's function or a partial; by default
                one Engine
    queue_size  submissions that may wait
    places      requests that may run at once on each worker
    stalled     seconds after which a silent worker is given up
    least       workers to keep; None is all. The others are started when work waits
    idle        seconds without work after which these are given back
    """

    def __init__(
        self,
        start: Start = in_process,
        *engines: MakeEngine,
        queue_size: int = 32,
        places: int = PLACES,
        stalled: float = STALLED,
        least: int | None = None,
        idle: float = IDLE,
    ) -> None:
        self._start = start
        self._queue_size = queue_size
        self._places = [Place(make_engine) for make_engine in engines or (Engine,)]
        self._stalled = stalled
        self._lock = threading.Condition(threading.RLock())
        self._keys = count()
        self._entries: dict[Submission, Entry] = {}  # oldest first
        self._running: dict[int, Running] = {}
        self._suspects = Suspects()
        self._admission = Admission(self._places, places, self._suspects)
        self._scaling = Scaling(self._places, least, places, self._fill, stalled=stalled, idle=idle)
        self._pace = Pace()
        self._draining = self._closed = False
        self._finished = self._evaluations = self._calls = self._restarts = 0
        with self._lock:
            self._scaling.follow(0)
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
                ready=any(place.up for place in self._places) and not self._draining,
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
            for place in self._places:
                if place.worker is not None:
                    place.worker.stop()
        self._watch.join()

    def _check_open(self, *, follows: bool) -> None:
        """Unavailable where nothing is accepted."""
        if self._closed or (self._draining and not follows):
            raise Unavailable("the server is stopping: send it again later")
        if all(place.worker is None for place in self._places):
            raise WorkerLost("no worker comes up; the server's log says why")

    def _check_room(self, entry: Entry) -> None:
        """QueueFull where as many wait as may, in number or in bytes."""
        waiting = self._waiting()
        starts = not waiting and self._admission.open(self._running)
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
        """Hand requests to workers while there is a place."""
        before = self._waiting()
        while chosen := self._admission.next(self._entries.values(), self._running):
            entry, place = chosen
            index = entry.waiting.popleft()
            if entry.started is None:
                entry.started = monotonic()
            key = next(self._keys)
            self._running[key] = Running(entry, index, place)
            request = entry.submission.requests[index]
            place.give(Add(key, request, entry.mode, entry.preview_every))
        after = self._waiting()
        if after != before:
            for ahead, entry in enumerate(after):
                for index in entry.waiting:
                    entry.submission.tell(Queued(index, ahead))

    def _end(self, entry: Entry, error: PartwayError) -> None:
        """Give up what is left of a submission.

        Requests that run hear it from the worker where they were cancelled: then it is true.
        """
        entry.ended = error
        for index in entry.waiting:
            entry.tell_last(index)
        entry.waiting.clear()
        for key, each in self._running.items():
            if each.entry is entry and each.place.worker is not None:
                each.place.worker.tell(Remove(key))
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
            place = self._place_of(worker)
            if place is None:
                return
            place.spoke()
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
            running.place.running.discard(event.index)
        entry.submission.tell(replace(event, index=index))
        self._settle(entry)

    def _lose(self, worker: Worker) -> None:
        """Replace a worker that ended; what ran on it is run again or refused."""
        with self._lock:
            place = self._place_of(worker)
            if place is None or self._closed:
                return
            self._restarts += 1
            lost = [self._running.pop(key) for key in place.vacate()]
            log.error("a worker ended with %d requests running", len(lost))
            for each in reversed(lost):
                self._suspect(each.entry, each.index)
            place.lost = place.false_starts >= FALSE_STARTS
            if not place.lost:
                self._fill(place)
            self._scale()
            if all(each.worker is None for each in self._places):
                for entry in list(self._entries.values()):
                    self._end(entry, WorkerLost("no worker comes up; the server's log says why"))
            self._admit()

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

    def _place_of(self, worker: Worker) -> Place | None:
        """Where a worker is; None where it was given up."""
        return next((place for place in self._places if place.worker is worker), None)

    def _fill(self, place: Place) -> None:
        """Start a worker; a place where none can be started is given up."""
        try:
            place.fill(self._start, self._hear, self._lose)
        except Exception:
            log.exception("no worker can be started")
            place.worker, place.lost = None, True

    def _scale(self) -> None:
        """Start or give back workers by how much waits."""
        self._scaling.follow(sum(len(entry.waiting) for entry in self._entries.values()))

    def _keep_watch(self) -> None:
        """Look for deadlines that passed, for work that waits, for a worker that is silent."""
        with self._lock:
            while not self._closed:
                self._lock.wait(TICK)
                for entry in list(self._entries.values()):
                    self._check_deadline(entry)
                self._scale()
                for place in self._places:
                    if place.worker is not None and place.silent(self._stalled):
                        log.error("a worker said nothing for %g s and is replaced", self._stalled)
                        place.worker.stop()
                        self._lose(place.worker)

    def _check_deadline(self, entry: Entry) -> None:
        """Give a submission up whose time is over."""
        over = entry.seconds is not None and monotonic() - entry.submitted > entry.seconds
        if over and entry.ended is None:
            self._end(entry, DeadlineExceeded(f"not finished within {entry.seconds:g} seconds"))
            self._admit()
