"""All items of a job through one live run: sources are read ahead, results written behind it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Protocol, TypeAlias

from partway.engine import Engine
from partway.errors import PartwayError, WorkerLost, as_typed
from partway.events import Done, Event, Failed
from partway.executors.pool import SHARE
from partway.jobs.journal import Journal, Stopped
from partway.jobs.reading import Reader, Ready
from partway.jobs.writing import Outcome, Writer

if TYPE_CHECKING:
    from partway.jobs.files import AnyPath
    from partway.jobs.items import Item, Writing
    from partway.request import EditRequest
    from partway.run import Mode

AHEAD = 4  # sources read before there is a place for them
MEMORY = 512 * 2**20  # bytes of sources in flight from which no other is read ahead
REMEMBERED = 4  # share of that which an engine remembers: prompts, and what was just read

Told: TypeAlias = "Callable[[Item, Outcome], None]"


class Live(Protocol):
    """What makes results: an engine's live run, or several workers behind its face."""

    def add(self, index: int, request: EditRequest, mode: Mode) -> Iterator[Event]:
        """Take a request up."""
        ...

    def step(self) -> Iterator[Event]:
        """What the next moment brings."""
        ...

    def close(self) -> None:
        """Drop everything."""
        ...


class FolderRun:
    """One run of a job.

    out      where results go; `journal` is its own
    told     hears of every item, on the thread that calls `run`
    force    replace files that the journal does not know
    mode     of network calls: "exact" gives each result the bits it would have alone
    live     makes what makes results; by default a run of `engine`
    width    how many workers that is
    share    results that run at once on each
    memory   bytes of sources in flight from which no other is read ahead
    """

    def __init__(
        self,
        out: AnyPath,
        journal: Journal,
        writing: Writing,
        told: Told,
        *,
        force: bool = False,
        mode: Mode = "shared",
        engine: Engine | None = None,
        live: Callable[[], Live] | None = None,
        width: int = 1,
        share: int = SHARE,
        memory: int = MEMORY,
    ) -> None:
        engine = engine or Engine(cache_bytes=memory // REMEMBERED)
        self._reader = Reader(out, journal, engine, force=force)
        self._writer = Writer(out, journal, writing)
        self._journal = journal
        self._told = told
        self._mode: Mode = mode
        self._make_live = live or engine.live
        self._width = width
        self._places = share * width
        self._memory = memory
        self._waiting: Iterator[tuple[int, Item]] = iter(())
        self._next: tuple[int, Item] | None = None
        self._reading: deque[tuple[int, Item, Future[Ready | None]]] = deque()
        self._live: dict[int, Ready] = {}
        self._written: dict[Future[Outcome], Ready] = {}
        self._used = self._made = 0

    def run(self, items: Iterable[Item], cancel: threading.Event) -> bool:
        """Make all items; False where `cancel` was set before they were all made.

        Of `items` no more are taken at a time than are in flight.

        Raises Stopped where the disk takes no more, or no worker comes up. What is finished is
        written before this returns or raises; what runs is dropped.
        """
        began = time.perf_counter()
        self._waiting = enumerate(items)
        self._next = next(self._waiting, None)
        live, threads = self._make_live(), 2 * self._width
        with ThreadPoolExecutor(threads) as readers, ThreadPoolExecutor(threads) as writers:
            try:
                while self._next or self._reading or self._live or self._written:
                    if cancel.is_set():
                        return False
                    # With nothing to compute or read (memory may be full), wait for the writers.
                    self._collect(block=not (self._reading or self._live) and not self._room())
                    self._read_ahead(readers)
                    self._admit(live, writers)
                    if self._live:
                        self._hear(live.step(), writers)
                    elif not (self._next or self._reading):
                        self._collect(block=True)
                return True
            finally:
                live.close()
                for _, _, future in self._reading:
                    future.cancel()
                writers.shutdown(wait=True)
                self._collect(block=False)
                if self._made:
                    self._journal.pace((time.perf_counter() - began) / self._made)

    def _read_ahead(self, readers: ThreadPoolExecutor) -> None:
        """Start to read what there is memory for."""
        while self._next and len(self._reading) < AHEAD * self._width and self._room():
            index, item = self._next
            self._reading.append((index, item, readers.submit(self._reader.read, item)))
            self._next = next(self._waiting, None)

    def _admit(self, live: Live, writers: ThreadPoolExecutor) -> None:
        """Let sources that are read join the run; wait for one only where nothing runs."""
        while self._reading and len(self._live) < self._places:
            if self._live and not self._reading[0][2].done():
                return
            index, item, future = self._reading.popleft()
            ready = self._taken(item, future)
            if ready is not None:
                self._live[index] = ready
                self._used += ready.nbytes
                self._hear(live.add(index, ready.request, self._mode), writers)

    def _room(self) -> bool:
        """Whether one more source may be in memory."""
        idle = not (self._reading or self._live or self._written)
        return self._used < self._memory or idle

    def _taken(self, item: Item, future: Future[Ready | None]) -> Ready | None:
        """A source that was read; None where nothing is to be computed."""
        try:
            ready = future.result()
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  one picture's failure ends no job
            self._fail(item, as_typed(error))
            return None
        if ready is None:
            self._tell(item, None)
        return ready

    def _hear(self, events: Iterable[Event], writers: ThreadPoolExecutor) -> None:
        """What the run brought."""
        for event in events:
            if isinstance(event, Done):
                ready = self._live.pop(event.index)
                self._written[writers.submit(self._writer.write, ready, event.result)] = ready
            elif isinstance(event, Failed):
                ready = self._live.pop(event.index)
                self._used -= ready.nbytes
                if isinstance(event.error, WorkerLost):  # no fault of the picture
                    raise Stopped(f"{event.error}; the same command goes on from here")
                self._fail(ready.item, event.error)

    def _collect(self, *, block: bool) -> None:
        """Hear of results that were written."""
        if block and self._written:
            wait(self._written, return_when=FIRST_COMPLETED)
        for future in [each for each in self._written if each.done()]:
            ready = self._written.pop(future)
            self._used -= ready.nbytes
            outcome = future.result()
            if isinstance(outcome, PartwayError):
                self._fail(ready.item, outcome)
            else:
                self._made += 1
                self._tell(ready.item, outcome)

    def _fail(self, item: Item, error: PartwayError) -> None:
        """Write down and say why an item failed."""
        self._reader.failed(item, error)
        self._tell(item, error)

    def _tell(self, item: Item, outcome: Outcome) -> None:
        """Say what became of an item; it is in flight no more."""
        self._reader.forget(item)
        self._told(item, outcome)
