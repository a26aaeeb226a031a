"""A worker: one engine with one live run, fed through a channel.

    executor ── Add, Remove ──►  worker ── (key, event) … ──► executor

The loop is the same in a thread and in a process. A process can be killed and survives in its
parent's eyes any crash of a runtime: servers use it. A thread shares the parent's engine and fate:
an exception is survived, a crash of native code or a hang in it is not.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe, get_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from partway.engine import Engine
from partway.events import Event, Failed
from partway.executors.device import DeviceLost, is_lost

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from partway.request import EditRequest
    from partway.run import Mode, Run

log = logging.getLogger(__name__)

MakeEngine: TypeAlias = Callable[[], Engine]


@dataclass(frozen=True, slots=True)
class Add:
    """Take a request up; events come back under `key`."""

    key: int
    request: EditRequest
    mode: Mode
    preview_every: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Cancel a request."""

    key: int


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a command or of a network call; `key` is the index in each event.

    calls  network calls it stands for, 0 or 1
    """

    events: tuple[Event, ...]
    calls: int = 0


Command: TypeAlias = Add | Remove


def work(channel: Connection[Any, Any], make_engine: MakeEngine) -> None:
    """Serve commands until None comes or the other end closes.

    Between two network calls every command that has come is obeyed, so a request joins the calls
    of those that run. An empty report says that the engine is up.
    """
    try:
        run = make_engine().live()
        channel.send(Report(()))
        while True:
            while channel.poll(None if not len(run) else 0.0):
                command: Command | None = channel.recv()
                if command is None:
                    return
                for event in obey(run, command):
                    channel.send(Report((event,)))
            channel.send(Report(tuple(noted(run.step())), calls=1))
    except (EOFError, OSError):
        pass  # the executor is gone
    except Exception:
        log.exception("a worker ended")
    finally:
        channel.close()


def obey(run: Run, command: Command) -> Iterator[Event]:
    """The events of a command; causes of failures are logged, they do not cross processes."""
    if isinstance(command, Remove):
        return run.remove(command.key)
    return noted(run.add(command.key, command.request, command.mode, command.preview_every))


def noted(events: Iterator[Event]) -> Iterator[Event]:
    """Log what a failure was caused by: a cause does not cross processes.

    Raises DeviceLost where no later call can succeed in this process; the worker that is started
    instead runs the request again.
    """
    for event in events:
        if isinstance(event, Failed) and is_lost(event.error):
            raise DeviceLost(str(event.error)) from event.error.__cause__
        if isinstance(event, Failed) and event.error.__cause__ is not None:
            log.warning("a request failed: %s", event.error, exc_info=event.error.__cause__)
        yield event


def _work_alone(channel: Connection[Any, Any], make_engine: MakeEngine) -> None:
    """A process's whole life. Ctrl-C in the terminal is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work(channel, make_engine)


class Body(Protocol):
    """What carries a worker: a thread or a process."""

    def start(self) -> None:
        """Begin."""
        ...

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end."""
        ...


class Worker:
    """The executor's end of a worker.

    on_report  hears of events, in a thread of the worker's own
    on_end     hears once that the worker ended, whatever ended it
    """

    def __init__(
        self,
        body: Body,
        channel: Connection[Any, Any],
        on_report: Callable[[Worker, Report], None],
        on_end: Callable[[Worker], None],
    ) -> None:
        self._body = body
        self._channel = channel
        self._on_report = on_report
        self._on_end = on_end
        self._commands: SimpleQueue[Command | None] = SimpleQueue()

    def start(self) -> None:
        """Start the worker and the two threads that speak with it."""
        self._body.start()
        threading.Thread(target=self._send, name="partway-commands", daemon=True).start()
        threading.Thread(target=self._receive, name="partway-reports", daemon=True).start()

    def tell(self, command: Command) -> None:
        """Pass a command on without waiting for the worker to read it."""
        self._commands.put(command)

    def stop(self) -> None:
        """Let it end: at once where it can be killed, else before its next network call."""
        kill = getattr(self._body, "kill", None)
        if kill is not None:
            kill()
        self._commands.put(None)

    def _send(self) -> None:
        """Write commands; a full pipe makes this thread wait and no other."""
        try:
            while True:
                command = self._commands.get()
                self._channel.send(command)
                if command is None:
                    return
        except OSError:
            pass  # it ended; the reader says so

    def _receive(self) -> None:
        """Read reports until the worker's end closes."""
        try:
            while True:
                self._on_report(self, self._channel.recv())
        except (EOFError, OSError):
            pass
        finally:
            self._channel.close()
            self._commands.put(None)
            self._body.join(timeout=5.0)
            self._on_end(self)


Start: TypeAlias = Callable[
    [MakeEngine, Callable[[Worker, Report], None], Callable[[Worker], None]], Worker
]


def in_thread(
    make_engine: MakeEngine,
    on_report: Callable[[Worker, Report], None],
    on_end: Callable[[Worker], None],
) -> Worker:
    """A worker in a thread of this process."""
    ours, its = Pipe()
    body = threading.Thread(
        target=work, args=(its, make_engine), name="partway-worker", daemon=True
    )
    return Worker(body, ours, on_report, on_end)


def in_process(
    make_engine: MakeEngine,
    on_report: Callable[[Worker, Report], None],
    on_end: Callable[[Worker], None],
) -> Worker:
    """A worker in a process of its own; `make_engine` must be a module's function or partial."""
    ours, its = Pipe()
    body = _Process(its, make_engine)
    return Worker(body, ours, on_report, on_end)


class _Process:
    """A spawned process that holds the only copy of its end of the channel."""

    def __init__(self, channel: Connection[Any, Any], make_engine: MakeEngine) -> None:
        self._channel = channel
        self._process = get_context("spawn").Process(
            target=_work_alone, args=(channel, make_engine), name="partway-worker", daemon=True
        )

    def start(self) -> None:
        """Start it and close our copy of its end, so that its death closes the channel."""
        self._process.start()
        self._channel.close()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end."""
        self._process.join(timeout)

    def kill(self) -> None:
        """End it at once, wherever it is."""
        self._process.kill()
