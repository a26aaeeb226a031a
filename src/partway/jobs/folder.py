"""All items of a job through one live run: sources are read ahead, results written behind it.

Every result is made once and its file is whole or not there. What is there already and was made
from the same source and settings is left alone; a file is replaced only if the journal wrote it.
"""

from __future__ import annotations

import errno
import hashlib
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from partway import images
from partway.choosing import choose_model
from partway.engine import Engine
from partway.errors import (
    InvalidRequest,
    OutputExists,
    PartwayError,
    UnreadableImage,
    WorkerLost,
    as_typed,
)
from partway.events import Done, Event, Failed
from partway.executors.pool import SHARE
from partway.jobs.embedded import said_by
from partway.jobs.inputs import FILES
from partway.jobs.journal import Journal, Row, Stopped
from partway.result import Names
from partway.settings import calibrated, calibration_for
from partway.strength import named_strength

if TYPE_CHECKING:
    from partway.jobs.items import Item, Items, Writing
    from partway.request import EditRequest
    from partway.result import EditResult
    from partway.run import Mode

PLACES = SHARE  # results that run at once, on each worker
AHEAD = 4  # sources read before there is a place for them
MEMORY = 512 * 2**20  # bytes of sources in flight from which no other is read ahead
REMEMBERED = 4  # share of that which an engine remembers: prompts, and what was just read
THERE = "there"  # in place of the hash of a file to replace
# Failures of one name; after any other the disk takes no more of this job.
OF_ONE_NAME = {
    errno.EACCES, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR,
    errno.EPERM,
}  # fmt: skip
PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # no fault of the picture

Outcome: TypeAlias = "EditResult | PartwayError | None"  # None: it was there after all
Stamp: TypeAlias = tuple[int | None, int | str | None]
Told: TypeAlias = "Callable[[Item, Outcome], None]"


@dataclass(frozen=True, slots=True)
class Standing:
    """A job before it starts: what is to be made, is there, and failed before.

    make    positions in the job's items
    there   how many
    failed  sources, and what the journal says of them
    """

    make: array[int] = field(default_factory=lambda: array("q"))
    there: int = 0
    failed: list[tuple[Path, Row]] = field(default_factory=list[tuple[Path, Row]])


@dataclass(frozen=True, eq=False)
class Ready:
    """A source that was read; row is what the journal will say of the result."""

    item: Item
    request: EditRequest
    row: Row
    nbytes: int


def standing(items: Items, journal: Journal, out: Path, *, retry_failed: bool = False) -> Standing:
    """What each item comes to, by the journal and the sizes and times of files."""
    make, there, failed = array("q"), 0, list[tuple[Path, Row]]()
    for position, item in items:
        row = journal.row(item.name)
        if row is None or row.params != item.params or _stamp(item) != (row.size, row.changed):
            make.append(position)
        elif row.status == "done" and _size(out / item.name) == row.written:
            there += 1
        elif row.status == "failed" and row.code != OutputExists.code and not retry_failed:
            failed.append((item.source, row))
        else:
            make.append(position)
    return Standing(make, there, failed)


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
    memory   bytes of sources in flight from which no other is read ahead
    """

    def __init__(
        self,
        out: Path,
        journal: Journal,
        writing: Writing,
        told: Told,
        *,
        force: bool = False,
        mode: Mode = "shared",
        engine: Engine | None = None,
        live: Callable[[], Live] | None = None,
        width: int = 1,
        memory: int = MEMORY,
    ) -> None:
        self._out = out
        self._journal = journal
        self._writing = writing
        self._told = told
        self._force = force
        self._mode: Mode = mode
        self._engine = engine or Engine(cache_bytes=memory // REMEMBERED)
        self._make_live = live or self._engine.live
        self._width = width
        self._memory = memory
        self._waiting: Iterator[tuple[int, Item]] = iter(())
        self._next: tuple[int, Item] | None = None
        self._reading: deque[tuple[int, Item, Future[Ready | None]]] = deque()
        self._live: dict[int, Ready] = {}
        self._written: dict[Future[Outcome], Ready] = {}
        self._stamps: dict[str, Stamp] = {}  # of what is in flight, before it was read
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
            self._reading.append((index, item, readers.submit(self._read, item)))
            self._next = next(self._waiting, None)

    def _admit(self, live: Live, writers: ThreadPoolExecutor) -> None:
        """Let sources that are read join the run; wait for one only where nothing runs."""
        while self._reading and len(self._live) < PLACES * self._width:
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

    def _read(self, item: Item) -> Ready | None:
        """Read and decode a source, choose its model; on a thread of its own."""
        if item.error is not None:
            raise item.error
        row = self._row(item, "writing")
        data, *lain = (_bytes_of(path) for path in item.files)
        row = replace(row, input=_digest(data, lain))
        previous = self._previous(item, row)
        if previous == THERE:
            return None
        said = said_by(data, item.embedded) if item.embedded else {}
        request, word = _request(item, data, said), None if "strength" in said else item.word
        picture = self._engine.decoded(data, item.source.name)
        if request.strength != 0.0 or word is not None:
            named = bool(request.references)
            profile = choose_model(request.model, picture, item.source.name, with_references=named)
            request = calibrated(request.with_(model=request.model or profile.name), profile)
            if word is not None:
                gain, curve = calibration_for(profile)
                strength = named_strength(word, request.dial, gain, curve)
                request = request.with_(strength=strength)
        nbytes = picture.nbytes + sum(map(len, (data, *lain)))
        return Ready(item, request, replace(row, previous=previous), nbytes)

    def _previous(self, item: Item, row: Row) -> str | None:
        """Hash of the file to replace, None without one, THERE where it is the result already.

        OutputExists where it is somebody else's.
        """
        path, before = self._out / item.name, self._journal.row(item.name)
        if not path.exists():
            return None
        data = path.read_bytes()
        output = hashlib.sha256(data).hexdigest()
        if before is not None:
            same = (before.input, before.params) == (row.input, row.params)
            if output == before.output and same and before.status != "failed":
                self._journal.put(replace(row, status="done", output=output, written=len(data)))
                return THERE
            # A name is reserved, empty, where the file system has no hard links.
            reserved = before.status == "writing" and not data
            if output in {before.output, before.previous} or reserved:
                return output
        if self._force:
            return output
        raise OutputExists(f"{path} exists and is not of this job: move it, or add --force")

    def _hear(self, events: Iterable[Event], writers: ThreadPoolExecutor) -> None:
        """What the run brought."""
        for event in events:
            if isinstance(event, Done):
                ready = self._live.pop(event.index)
                self._written[writers.submit(self._write, ready, event.result)] = ready
            elif isinstance(event, Failed):
                ready = self._live.pop(event.index)
                self._used -= ready.nbytes
                if isinstance(event.error, WorkerLost):  # no fault of the picture
                    raise Stopped(f"{event.error}; the same command goes on from here")
                self._fail(ready.item, event.error)

    def _write(self, ready: Ready, result: EditResult) -> Outcome:
        """Encode a result, announce it, write it, confirm it; on a thread of its own."""
        path = self._out / ready.item.name
        result = replace(result, names=_names(ready.item))
        try:
            data, note = result.encode(
                images.format_for(path),
                path.parent,
                metadata=self._writing.metadata,
                quality=self._writing.quality,
                keep_gps=self._writing.keep_gps,
            )
        except Exception as error:  # noqa: BLE001  one picture's failure ends no job
            return as_typed(error)
        row = replace(ready.row, output=hashlib.sha256(data).hexdigest(), written=len(data))
        self._journal.put(row)
        try:
            images.write_whole(data, path, overwrite=row.previous is not None)
        except OutputExists as error:
            return error
        except InvalidRequest as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno not in OF_ONE_NAME:
                raise Stopped(f"{error}; the same command goes on from here") from error
            return error
        self._journal.put(replace(row, status="done"))
        return replace(result, warnings=(*result.warnings, *([] if note is None else [note])))

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
        """Write down why an item failed; a file of it that is there stays known."""
        before = self._journal.row(item.name)
        row = replace(
            self._row(item, "failed"), code=error.code, message=" ".join(str(error).split())
        )
        if before is not None:
            row = replace(row, output=before.output, previous=before.previous)
        self._journal.put(row)
        self._tell(item, error)

    def _row(self, item: Item, status: str) -> Row:
        """A row with the source as it was before it was read: a later change is seen next time."""
        size, changed = self._stamps.setdefault(item.name, _stamp(item))
        return Row(item.name, status, size=size, changed=changed, params=item.params)

    def _tell(self, item: Item, outcome: Outcome) -> None:
        """Say what became of an item; it is in flight no more."""
        self._stamps.pop(item.name, None)
        self._told(item, outcome)


def _request(item: Item, data: bytes, said: Mapping[str, Any]) -> EditRequest:
    """The request of an item: with its source, what that says, and what lies on it."""
    if {"steps", "full_steps"} & said.keys():
        said = {"steps": None, "full_steps": None, **said}
    lain = {
        name: _bytes_of(value) if isinstance(value, Path) else value
        for name, value in item.part.items()
    }
    return item.request.with_(**{"source": data, **said, **lain})


def _bytes_of(path: Path) -> bytes:
    """A picture's file; Stopped where it is the machine that cannot read just now."""
    try:
        return images.read_bytes(path)
    except UnreadableImage as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in PASSING:
            raise Stopped(f"{error}; the same command goes on from here") from error
        raise


def _digest(data: bytes, lain: Iterable[bytes]) -> str:
    """What a result is made from as one hash: the source's where nothing lies on it."""
    digests = [hashlib.sha256(each).hexdigest() for each in (data, *lain)]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _names(item: Item) -> Names:
    """File names for a result's record."""
    mask, strength_map = (None if path is None else str(path) for path in map(item.part.get, FILES))
    return Names(str(item.source), mask=mask, strength_map=strength_map)


def _stamp(item: Item) -> Stamp:
    """Bytes and times of change of what an item is made from; None where a file is not there."""
    try:
        found = [path.stat() for path in item.files]
    except OSError:
        return None, None
    times = [each.st_mtime_ns for each in found]
    return sum(each.st_size for each in found), times[0] if len(times) == 1 else f"{times}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
