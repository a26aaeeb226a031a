"""Where one worker after another runs: started, heard from, given up, replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from partway.errors import WorkerLost
from partway.executors.worker import Add, MakeEngine, Report, Start, Worker


@dataclass(eq=False)
class Place:
    """One worker at a time.

    running       keys of the requests on it
    alone         whether they are one that was there when a worker ended
    up            whether the worker has spoken; it gets nothing before
    false_starts  workers that ended before they were up, in a row
    heard         when it spoke last, or was given work after it had none
    lost          whether no worker comes up here; none is started any more
    """

    make_engine: MakeEngine
    worker: Worker | None = None
    running: set[int] = field(default_factory=set[int])
    alone: bool = False
    up: bool = False
    false_starts: int = 0
    heard: float = 0.0
    lost: bool = False

    def fill(
        self,
        start: Start,
        on_report: Callable[[Worker, Report], None],
        on_end: Callable[[Worker], None],
    ) -> None:
        """Start a worker; it is up with its first report."""
        self.worker = start(self.make_engine, on_report, on_end)
        self.heard = monotonic()
        self.worker.start()

    def give(self, command: Add) -> None:
        """Hand it a request."""
        if self.worker is None:
            raise WorkerLost("no worker is there")
        if not self.running:
            self.heard = monotonic()
        self.running.add(command.key)
        self.worker.tell(command)

    def spoke(self) -> None:
        """Its worker reported."""
        self.up, self.false_starts, self.heard = True, 0, monotonic()

    def silent(self, seconds: float) -> bool:
        """Whether its worker should have spoken and has not for so long."""
        busy = bool(self.running) or not self.up
        return self.worker is not None and busy and monotonic() - self.heard > seconds

    def give_back(self) -> None:
        """Let a worker go that nothing runs on; what it still says is not listened to."""
        worker, self.worker, self.up = self.worker, None, False
        if worker is not None:
            worker.stop()

    def vacate(self) -> list[int]:
        """Its worker is gone: the keys of what ran on it, oldest first."""
        self.false_starts += not self.up
        lost, self.running = sorted(self.running), set()
        self.alone, self.up, self.worker = False, False, None
        return lost
