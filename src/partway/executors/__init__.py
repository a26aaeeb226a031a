"""Executors: where requests run. Interfaces hand requests down and never learn it.

An executor takes submissions (one request, or the cells of a sweep), queues a bounded number of
them, and reports events as they happen. There is one, `executors.local`; its workers may be
elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from partway.errors import Cancelled, PartwayError
from partway.events import Done, Event, Failed, WasCancelled
from partway.request import EditRequest
from partway.result import EditResult
from partway.run import Mode

Listener: TypeAlias = Callable[[Event], None]
Outcome: TypeAlias = EditResult | PartwayError


class Submission:
    """Requests that were accepted together, and what became of them.

    requests  events name them by position
    outcomes  of those that are finished, by position; none where they are not kept
    """

    def __init__(
        self, requests: Sequence[EditRequest], on_event: Listener | None, *, keep: bool = True
    ) -> None:
        self.requests = tuple(requests)
        self.outcomes: dict[int, Outcome] = {}
        self._on_event = on_event
        self._keep = keep
        self._ended: set[int] = set()
        self._finished = threading.Event()

    @property
    def finished(self) -> bool:
        """Whether every request has its outcome."""
        return self._finished.is_set()

    def wait(self, timeout: float | None = None) -> list[Outcome]:
        """The outcomes in the order of the requests, a failed one's error in its place.

        TimeoutError where they are not all there after `timeout` seconds.
        """
        if not self._finished.wait(timeout):
            raise TimeoutError(f"not finished after {timeout} s")
        return [self.outcomes[index] for index in range(len(self.requests))]

    def tell(self, event: Event) -> None:
        """Record an event and pass it on; called by the executor, one event at a time."""
        if event.index in self._ended:
            return  # it has had its last one
        outcome: Outcome | None = None
        if isinstance(event, Done):
            outcome = event.result
        elif isinstance(event, Failed):
            outcome = event.error
        elif isinstance(event, WasCancelled):
            outcome = Cancelled("cancelled")
        if outcome is not None:
            self._ended.add(event.index)
            if self._keep:
                self.outcomes[event.index] = outcome
        if self._on_event is not None:
            self._on_event(event)
        if len(self._ended) == len(self.requests):
            self._finished.set()


@dataclass(frozen=True, slots=True)
class Status:
    """An executor at a moment.

    ready       whether a worker is up
    queued      submissions that wait, none of their requests running
    running     requests that run
    finished    submissions finished since the start
    evaluations answers of the network received by requests since the start
    calls       network calls since the start; several requests share one
    restarts    workers replaced since the start
    """

    ready: bool
    queued: int
    running: int
    finished: int
    evaluations: int
    calls: int
    restarts: int


class Executor(Protocol):
    """What interfaces may ask of an executor. Safe to use from several threads."""

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
        """Accept requests, or raise QueueFull or Unavailable at once.

        seconds   after which they fail with DeadlineExceeded, waiting included
        on_event  hears every event; it must return quickly and not call the executor
        keep      their outcomes; a listener that takes them needs none, and pixels are large
        follows   they go on with something that was accepted: also beyond the queue's end, and
                  after `drain`
        """
        ...

    def cancel(self, submission: Submission) -> None:
        """Stop these requests within one evaluation; no other is touched."""
        ...

    def position(self, submission: Submission) -> int | None:
        """How many submissions are served before this one; None once it runs."""
        ...

    def status(self) -> Status:
        """The executor at this moment."""
        ...

    def drain(self) -> None:
        """Accept nothing more; finish what was accepted."""
        ...

    def close(self, grace: float = 0.0) -> None:
        """Drain for up to `grace` seconds, cancel the rest and stop."""
        ...
