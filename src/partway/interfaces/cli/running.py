"""From items to files: one engine, finished pictures written as they come, Ctrl-C heard at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from partway.checkpoints import pipeline
from partway.engine import Engine
from partway.errors import Cancelled, InvalidRequest, PartwayError
from partway.events import Done, Event, Failed
from partway.families import profile_of
from partway.result import NO_NAMES, Names

if TYPE_CHECKING:
    from pathlib import Path

    from partway.families import Profile
    from partway.geometry import Extent
    from partway.interfaces.cli.outputs import Target
    from partway.interfaces.cli.report import Reporter
    from partway.request import EditRequest
    from partway.result import EditResult

# Sources of one shared run, in pixels all together: bounds memory where many large photographs
# are edited by one command.
MAX_SHARED_PIXELS = 24_000_000


@dataclass(frozen=True, eq=False)
class Item:
    """One picture to make.

    name      of its source, for messages
    target    where it goes; None where only the result is wanted
    quality   of a lossy file, 1 … 100; None is the format's own
    keep_gps  its file tells the place the source was taken at
    names     file names of what the request holds, for its record
    metadata  whether its file says how it was made
    """

    request: EditRequest
    name: str
    target: Target | None
    extent: Extent
    quality: int | None = None
    keep_gps: bool = False
    names: Names = NO_NAMES
    metadata: bool = True


@dataclass(eq=False)
class Finished:
    """What became of the items, by position."""

    made: int = 0
    results: dict[int, EditResult] = field(default_factory=dict[int, "EditResult"])
    paths: dict[int, Path] = field(default_factory=dict[int, "Path"])
    errors: dict[int, PartwayError] = field(default_factory=dict[int, PartwayError])


Written: TypeAlias = Callable[[Item, "Path | None", "EditResult"], None]
Search: TypeAlias = Callable[[Item, Callable[["EditRequest"], "EditResult"]], "EditResult"]


class SomeFailed(PartwayError):
    """Some of several pictures were not made; each has had its own line."""

    code = "some_failed"

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_items(
    items: Sequence[Item],
    report: Reporter,
    written: Written,
    *,
    keep: bool = True,
    engine: Engine | None = None,
) -> Finished:
    """Make all pictures and write each as soon as it is finished.

    One picture runs alone (exact mode), several share network calls. `written` hears of each;
    without `keep` its pixels are let go then, so that a long list needs no more memory.
    Raises Cancelled after Ctrl-C; what is written by then is whole and stays.
    """
    began = time.perf_counter()
    finished = Finished()
    engine = engine or Engine()
    _fetch_models(items, report)
    with interruptible() as cancel, report.progress() as progress:
        for chunk in _chunks(items):
            _run_chunk(items, chunk, engine, cancel, finished, progress, written, keep=keep)
            if cancel.is_set() and finished.made + len(finished.errors) < len(items):
                done = f"{finished.made} of {len(items)} pictures finished"
                raise Cancelled(f"interrupted: {done}, nothing half-written")
    report.together(finished.made, time.perf_counter() - began)
    return finished


def run_searches(
    items: Sequence[Item], report: Reporter, search: Search, written: Written
) -> Finished:
    """Make each picture by a search of its own, one after the other, and write it when found.

    search  makes an item's result by running requests on what it is given; its error is the
            item's own
    Raises Cancelled after Ctrl-C; what is written by then stays.
    """
    finished = Finished()
    engine = Engine()
    _fetch_models(items, report)
    with interruptible() as cancel, report.progress() as progress:

        def run(request: EditRequest) -> EditResult:
            return engine.run(request, on_event=progress, cancel=cancel)

        for index, item in enumerate(items):
            try:
                result = search(item, run)
            except Cancelled as error:
                done = f"{finished.made} of {len(items)} pictures finished"
                raise Cancelled(f"interrupted: {done}, nothing half-written") from error
            except PartwayError as error:
                finished.errors[index] = error
            else:
                _write(item, index, result, finished, written, keep=False)
    return finished


def fetch(profile: Profile, report: Reporter) -> None:
    """Fetch what a model's hub has and this machine lacks, and say at which commit.

    To be called before a bar of ours is drawn, which would hide the hub's.
    """
    checkpoint = profile.checkpoint
    if checkpoint is None:
        return
    pipeline.fetch(checkpoint)
    if "revision" in checkpoint.facts:
        report.say(f"model: {checkpoint.name}@{checkpoint.facts['revision']}")


def _fetch_models(items: Sequence[Item], report: Reporter) -> None:
    """All that the items will run on; one at strength 0 runs on nothing."""
    used = {item.request.model: None for item in items if item.request.effective_strength > 0.0}
    for model in used:
        if model is not None:
            fetch(profile_of(model), report)


def _run_chunk(
    items: Sequence[Item],
    chunk: range,
    engine: Engine,
    cancel: threading.Event,
    finished: Finished,
    progress: Callable[[Event], None],
    written: Written,
    *,
    keep: bool,
) -> None:
    """One run of the engine."""

    def listen(event: Event) -> None:
        progress(event)
        if isinstance(event, Done):
            index = chunk[event.index]
            _write(items[index], index, event.result, finished, written, keep=keep)
        elif isinstance(event, Failed):
            finished.errors[chunk[event.index]] = event.error

    requests = [items[index].request for index in chunk]
    mode = "exact" if len(items) == 1 else "shared"
    engine.run_many(requests, mode=mode, on_event=listen, cancel=cancel)


def _write(
    item: Item,
    index: int,
    result: EditResult,
    finished: Finished,
    written: Written,
    *,
    keep: bool,
) -> None:
    """Write one finished picture; a failure is that picture's own."""
    path: Path | None = None
    result = replace(result, names=item.names)
    if item.target is not None:
        notes: list[str] = []

        def encode(format_name: str, folder: Path | None) -> bytes:
            data, note = result.encode(
                format_name,
                folder,
                metadata=item.metadata,
                quality=item.quality,
                keep_gps=item.keep_gps,
            )
            notes.extend([] if note is None else [note])
            return data

        try:
            path = item.target.write(encode)
        except PartwayError as error:
            finished.errors[index] = error
            return
        except OSError as error:
            finished.errors[index] = InvalidRequest(f"stdout cannot be written: {error.strerror}")
            return
        result = replace(result, warnings=(*result.warnings, *notes))
    finished.made += 1
    if keep:
        finished.results[index] = result
    if path is not None:
        finished.paths[index] = path
    written(item, path, result)


def _chunks(items: Sequence[Item]) -> Iterator[range]:
    """Consecutive items whose sources are not too large together; at least one each."""
    start, pixels = 0, 0
    for index, item in enumerate(items):
        area = item.extent.width * item.extent.height
        if index > start and pixels + area > MAX_SHARED_PIXELS:
            yield range(start, index)
            start, pixels = index, 0
        pixels += area
    yield range(start, len(items))


def raise_errors(
    errors: Sequence[tuple[str, PartwayError]],
    written: int,
    total: int,
    report: Reporter,
    failed: str = "pictures not written",
) -> None:
    """Nothing if all went well; the error itself if there is one and no picture; else a line each.

    The exit code is 1 where a model failed, 2 where only what was asked for was wrong.
    """
    if not errors:
        return
    if len(errors) == 1 and not written:
        raise errors[0][1]
    for name, error in errors:
        report.error(name, error)
    worst = min(error.exit_code for _, error in errors)
    raise SomeFailed(f"{total - written} of {total} {failed}", worst)


@contextmanager
def interruptible() -> Generator[threading.Event]:
    """An event that Ctrl-C sets; a second Ctrl-C interrupts at once."""
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel  # only the main thread may have handlers
        return

    def handle(number: int, frame: Any) -> None:
        del number, frame
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, previous)
