"""All items of a job through one live run: sources are read ahead, results written behind it.

Every result is made once and its file is whole or not there. What is there already and was made
from the same source and settings is left alone; a file is replaced only if the journal wrote it.
"""

from __future__ import annotations

import errno
import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from partway import images
from partway.choosing import choose_model
from partway.engine import Engine
from partway.errors import InvalidRequest, OutputExists, PartwayError, as_typed
from partway.events import Done, Event, Failed
from partway.jobs.journal import Journal, Row, Stopped
from partway.result import Names
from partway.settings import calibrated, calibration_for
from partway.strength import named_strength

if TYPE_CHECKING:
    from partway.jobs.items import Item, Writing
    from partway.request import EditRequest
    from partway.result import EditResult
    from partway.run import Run

PLACES = 16  # results that run at once
AHEAD = 4  # sources read before there is a place for them
MEMORY = 512 * 2**20  # bytes of sources in flight from which no other is read ahead
THERE = "there"  # in place of the hash of a file to replace
# Failures of one name; after any other the disk takes no more of this job.
OF_ONE_NAME = {
    errno.EACCES, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR,
    errno.EPERM,
}  # fmt: skip

Outcome: TypeAlias = "EditResult | PartwayError | None"  # None: it was there after all
Told: TypeAlias = "Callable[[Item, Outcome], None]"


@dataclass(frozen=True, slots=True)
class Standing:
    """A job before it starts: what is to be made, is there, and failed before."""

    make: list[Item] = field(default_factory=list["Item"])
    there: list[Item] = field(default_factory=list["Item"])
    failed: list[tuple[Item, Row]] = field(default_factory=list[tuple["Item", Row]])


@dataclass(frozen=True, eq=False)
class Ready:
    """A source that was read; row is what the journal will say of the result."""

    item: Item
    request: EditRequest
    row: Row
    nbytes: int


def standing(
    items: Sequence[Item], rows: Mapping[str, Row], out: Path, *, retry_failed: bool = False
) -> Standing:
    """What each item comes to, by the journal and the sizes and times of files."""
    found = Standing()
    for item in items:
        row = rows.get(item.name)
        if row is None or row.params != item.params or not _unchanged(item.source, row):
            found.make.append(item)
        elif row.status == "done" and _stamp(out / item.name)[0] == row.written:
            found.there.append(item)
        elif row.status == "failed" and row.code != OutputExists.code and not retry_failed:
            found.failed.append((item, row))
        else:
            found.make.append(item)
    return found


class FolderRun:
    """One run of a job.

    out      where results go; `journal` is its own
    told     hears of every item, on the thread that calls `run`
    force    replace files that the journal does not know
    """

    def __init__(
        self,
        out: Path,
        journal: Journal,
        writing: Writing,
        told: Told,
        *,
        force: bool = False,
        engine: Engine | None = None,
        memory: int = MEMORY,
    ) -> None:
        self._out = out
        self._journal = journal
        self._rows = journal.rows()
        self._writing = writing
        self._told = told
        self._force = force
        self._engine = engine or Engine()
        self._memory = memory
        self._waiting: deque[tuple[int, Item]] = deque()
        self._reading: deque[tuple[int, Item, Future[Ready | None]]] = deque()
        self._live: dict[int, Ready] = {}
        self._written: dict[Future[Outcome], Ready] = {}
        self._stamps: dict[str, tuple[int | None, int | None]] = {}
        self._used = self._made = 0

    def run(self, items: Sequence[Item], cancel: threading.Event) -> bool:
        """Make all items; False where `cancel` was set before they were all made.

        Raises Stopped where the disk takes no more. What is finished is written before this
        returns or raises; what runs is dropped.
        """
        began = time.perf_counter()
        self._waiting.extend(enumerate(items))
        live = self._engine.live()
        with ThreadPoolExecutor(2) as readers, ThreadPoolExecutor(2) as writers:
            try:
                while self._waiting or self._reading or self._live or self._written:
                    if cancel.is_set():
                        return False
                    # With nothing to compute or read (memory may be full), wait for the writers.
                    self._collect(block=not (self._reading or self._live) and not self._room())
                    self._read_ahead(readers)
                    self._admit(live, writers)
                    if self._live:
                        self._hear(live.step(), writers)
                    elif not (self._waiting or self._reading):
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
        while self._waiting and len(self._reading) < AHEAD and self._room():
            index, item = self._waiting.popleft()
            self._reading.append((index, item, readers.submit(self._read, item)))

    def _admit(self, live: Run, writers: ThreadPoolExecutor) -> None:
        """Let sources that are read join the run; wait for one only where nothing runs."""
        while self._reading and len(self._live) < PLACES:
            if self._live and not self._reading[0][2].done():
                return
            index, item, future = self._reading.popleft()
            ready = self._taken(item, future)
            if ready is not None:
                self._live[index] = ready
                self._used += ready.nbytes
                self._hear(live.add(index, ready.request, "shared"), writers)

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
            self._told(item, None)
        return ready

    def _read(self, item: Item) -> Ready | None:
        """Read and decode a source, choose its model; on a thread of its own."""
        if item.error is not None:
            raise item.error
        row = self._row(item, "writing")
        data = images.read_bytes(item.source)
        row = replace(row, input=hashlib.sha256(data).hexdigest())
        previous = self._previous(item, row)
        if previous == THERE:
            return None
        row = replace(row, previous=previous)
        request = item.request.with_(source=data)
        picture = self._engine.decoded(data, item.source.name)
        if request.strength != 0.0 or item.word is not None:
            named = bool(request.references)
            profile = choose_model(request.model, picture, item.source.name, with_references=named)
            request = calibrated(request.with_(model=request.model or profile.name), profile)
            if item.word is not None:
                gain, curve = calibration_for(profile)
                strength = named_strength(item.word, request.dial, gain, curve)
                request = request.with_(strength=strength)
        return Ready(item, request, row, picture.nbytes + len(data))

    def _previous(self, item: Item, row: Row) -> str | None:
        """Hash of the file to replace, None without one, THERE where it is the result already.

        OutputExists where it is somebody else's.
        """
        path, before = self._out / item.name, self._rows.get(item.name)
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
                self._fail(ready.item, event.error)

    def _write(self, ready: Ready, result: EditResult) -> Outcome:
        """Encode a result, announce it, write it, confirm it; on a thread of its own."""
        path = self._out / ready.item.name
        result = replace(result, names=Names(str(ready.item.source)))
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
                self._told(ready.item, outcome)

    def _fail(self, item: Item, error: PartwayError) -> None:
        """Write down why an item failed; a file of it that is there stays known."""
        before = self._rows.get(item.name)
        row = replace(
            self._row(item, "failed"), code=error.code, message=" ".join(str(error).split())
        )
        if before is not None:
            row = replace(row, output=before.output, previous=before.previous)
        self._journal.put(row)
        self._told(item, error)

    def _row(self, item: Item, status: str) -> Row:
        """A row with the source as it was before it was read: a later change is seen next time."""
        size, changed = self._stamps.setdefault(item.name, _stamp(item.source))
        return Row(item.name, status, size=size, changed=changed, params=item.params)


def _stamp(path: Path) -> tuple[int | None, int | None]:
    """Bytes and time of change of a file; None of one that is not there."""
    try:
        found = path.stat()
    except OSError:
        return None, None
    return found.st_size, found.st_mtime_ns


def _unchanged(path: Path, row: Row) -> bool:
    return _stamp(path) == (row.size, row.changed)
