"""Several workers behind the face of one live run: `add`, `step`, `close`.

    add ──► the worker with the fewest ──► its own process and device (worker.py, ray.py)
                                              │
    step ◄──────────── events ────────────────┘

A worker that ends, or says nothing for too long, is replaced. What ran on it runs again, each
request alone; one that ends its worker a second time fails. How many there are follows what waits
(scaling.py).
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from partway.checkpoints.device import VARIABLE
from partway.engine import Engine
from partway.errors import PartwayError, WorkerLost
from partway.events import Done, Event, Failed
from partway.executors.places import Place
from partway.executors.scaling import IDLE, Scaling
from partway.executors.suspects import MAX_DEATHS, quarantined
from partway.executors.worker import Add, MakeEngine, Report, Start, Worker, in_process
from partway.families import DEFAULT_MODEL, profile_of
from partway.request import EditRequest
from partway.run import Mode

log = logging.getLogger(__name__)

SHARE = 16
STALLED = 600.0  # seconds without a word from a worker that has work; loading a model is silent
PATIENCE = 0.2  # seconds a step waits for news
FALSE_STARTS = 3  # workers of one place that end before they are up, in a row

News: TypeAlias = "tuple[Worker, Report | None]"  # None: it ended


@dataclass(frozen=True, eq=False)
class Asked:
    """A request that was added and has had no last event."""

    request: EditRequest
    mode: Mode


def engine_on(device: str | None, model: str | None, **options: Any) -> Engine:
    """An engine of this process's own on a device, with a model loaded before its first request.

    Without a device it takes the best there is. A model that cannot be loaded is each request's
    to say.

    options  as of Engine
    """
    if device is not None:
        os.environ[VARIABLE] = device
    engine = Engine(**options)
    with suppress(PartwayError):
        engine.family(profile_of(model or DEFAULT_MODEL))
    return engine


class Pool:
    """Workers, and what runs on them.

    engines  one for each worker there may be: a module's function or a partial
    share    requests that may run on one worker
    stalled  seconds after which a silent worker that has work is given up
    least    workers to keep; None is all. The others are started when work waits
    idle     seconds without work after which these are given back
    """

    def __init__(
        self,
        engines: Sequence[MakeEngine],
        start: Start = in_process,
        *,
        share: int = SHARE,
        stalled: float = STALLED,
        least: int | None = None,
        idle: float = IDLE,
    ) -> None:
        self._start = start
        self._share = share
        self._stalled = stalled
        self._news: SimpleQueue[News] = SimpleQueue()
        self._asked: dict[int, Asked] = {}
        self._deaths: dict[int, int] = {}
        self._waiting: deque[int] = deque()  # until a worker has nothing else to do
        self._places = [Place(make_engine) for make_engine in engines]
        self._scaling = Scaling(self._places, least, share, self._fill, stalled=stalled, idle=idle)
        self._scaling.follow(0)

    def __len__(self) -> int:
        """Number of requests that have had no last event."""
        return len(self._asked)

    def add(self, index: int, request: EditRequest, mode: Mode) -> Iterator[Event]:
        """Hand a request to the worker with the fewest; what comes of it is told by `step`.

        Where no worker is left it fails at once.
        """
        self._asked[index] = Asked(request, mode)
        self._waiting.append(index)
        self._take_up()
        return self._given_up()

    def step(self) -> Iterator[Event]:
        """What the workers brought; nothing where they have nothing to say for a moment."""
        self._scaling.follow(len(self._waiting))
        try:
            worker, report = self._news.get(timeout=PATIENCE)
        except Empty:
            yield from self._look_for_silence()
            return
        place = next((each for each in self._places if each.worker is worker), None)
        if place is None:
            return  # it was given up
        if report is None:
            yield from self._lose(place)
            return
        place.spoke()
        for event in report.events:
            if event.index in place.running:
                if isinstance(event, (Done, Failed)):
                    self._forget(event.index, place)
                yield event
        self._take_up()

    def close(self) -> None:
        """End all workers and drop what runs on them."""
        for place in self._places:
            worker, place.worker = place.worker, None
            if worker is not None:
                worker.stop()
        self._asked.clear()

    def _give(self, index: int, place: Place) -> None:
        """Hand a request to a place."""
        asked = self._asked[index]
        place.give(Add(index, asked.request, asked.mode, 0))

    def _take_up(self) -> None:
        """Give what waits to the workers, in its order.

        What was there when a worker ended waits for one that has nothing else to do, and so that
        there will be one, what came later waits with it.
        """
        while self._waiting:
            index = self._waiting[0]
            suspect = index in self._deaths
            places = [
                each
                for each in self._places
                if each.up and not each.alone and len(each.running) < self._share
            ]
            if suspect:
                places = [place for place in places if not place.running]
            if not places:
                return
            place = min(places, key=lambda each: len(each.running))
            place.alone = suspect
            self._waiting.popleft()
            self._give(index, place)

    def _forget(self, index: int, place: Place) -> None:
        """A request had its last event."""
        del self._asked[index]
        self._deaths.pop(index, None)
        place.running.discard(index)
        if not place.running:
            place.alone = False

    def _lose(self, place: Place) -> Iterator[Event]:
        """Replace a worker that ended; what ran on it runs again or fails."""
        log.error("a worker ended with %d requests running", len(place.running))
        for index in place.vacate():
            self._deaths[index] = self._deaths.get(index, 0) + 1
            if self._deaths[index] >= MAX_DEATHS:
                self._forget(index, place)
                yield Failed(index, quarantined())
            else:
                self._waiting.appendleft(index)
        place.lost = place.false_starts >= FALSE_STARTS
        if not place.lost:
            self._fill(place)
        self._scaling.follow(len(self._waiting))
        yield from self._given_up()
        self._take_up()

    def _given_up(self) -> Iterator[Event]:
        """Fail everything where no worker is left and none comes up."""
        if any(place.worker is not None for place in self._places):
            return
        self._waiting.clear()
        for index in sorted(self._asked):
            self._forget(index, self._places[0])
            yield Failed(index, WorkerLost("no worker comes up: see what was logged"))

    def _look_for_silence(self) -> Iterator[Event]:
        """Give up workers that have work and say nothing."""
        for place in self._places:
            if place.worker is not None and place.silent(self._stalled):
                log.error("a worker said nothing for %g s and is replaced", self._stalled)
                place.worker.stop()
                yield from self._lose(place)

    def _fill(self, place: Place) -> None:
        """Start a worker."""
        place.fill(
            self._start,
            lambda worker, report: self._news.put((worker, report)),
            lambda worker: self._news.put((worker, None)),
        )
