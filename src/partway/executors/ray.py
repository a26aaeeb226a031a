"""Workers on a Ray cluster: each an actor that holds an engine, wherever Ray finds room for it.

    Pool ──commands──► thread ──one call──► actor: obey, one network call
      ▲                   │                    │
      └───── reports ─────┴────── report ──────┘

The machines of the cluster need Partway installed, of one version. A cluster that is started here
is closed: no dashboard, a token that only this process and its workers know.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import Any

from partway.errors import InvalidRequest, Unavailable
from partway.executors.worker import Command, MakeEngine, Report, Worker, noted, obey

log = logging.getLogger(__name__)

NEEDED = "this runs on Ray: pip install 'partway[ray]'"
OBJECTS = 256 * 2**20  # bytes of a local cluster's shared memory; pictures pass through it


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where workers run and what each takes.

    address  of a running cluster, or "auto"; None starts one on this machine
    workers  so many that are kept, and so many that there may be; None is one for each
             accelerator, else one for each machine
    gpus     of each worker; a fraction lets several share one
    cpus     of each worker
    """

    address: str | None = None
    workers: tuple[int, int] | None = None
    gpus: float = 0.0
    cpus: float = 1.0


class Body:
    """What lives in an actor: one engine and its live run."""

    def __init__(self, make_engine: MakeEngine) -> None:
        self._run = make_engine().live()

    def advance(self, commands: Sequence[Command]) -> tuple[Report, int]:
        """Obey, then one network call; what came of it, and how many requests are live."""
        events = [event for command in commands for event in obey(self._run, command)]
        calls = int(len(self._run) > 0)
        if calls:
            events += noted(self._run.step())
        return Report(tuple(events), calls), len(self._run)


class RayWorker(Worker):
    """The executor's end of an actor."""

    def __init__(
        self,
        actor: Any,
        on_report: Callable[[Worker, Report], None],
        on_end: Callable[[Worker], None],
    ) -> None:
        self._actor = actor
        self._on_report = on_report
        self._on_end = on_end
        self._told: SimpleQueue[Command | None] = SimpleQueue()
        self._stopped = False

    def start(self) -> None:
        """Start the thread that speaks with it."""
        threading.Thread(target=self._speak, name="partway-ray", daemon=True).start()

    def tell(self, command: Command) -> None:
        """Pass a command on without waiting for the worker to take it."""
        self._told.put(command)

    def stop(self) -> None:
        """End it at once, wherever it is, or ask for it no more."""
        self._stopped = True
        library().kill(self._actor)
        self._told.put(None)

    def _speak(self) -> None:
        """One call after the other until it ends."""
        ray = library()
        commands: list[Command | None] = []
        try:
            while True:
                report, live = ray.get(self._actor.advance.remote(commands))
                self._on_report(self, report)
                commands = self._next(wait=not live)
                if None in commands:
                    return
        except ray.exceptions.RayError as error:
            if not self._stopped:
                lines = str(error).strip().splitlines()  # what happened, a trace, its cause
                log.warning("a worker ended: %s (%s)", lines[0], lines[-1])
        finally:
            self._on_end(self)

    def _next(self, *, wait: bool) -> list[Command | None]:
        """Commands that have come; at least one where nothing else is to be done."""
        commands = [self._told.get()] if wait else []
        while True:
            try:
                commands.append(self._told.get_nowait())
            except Empty:
                return commands


def library() -> Any:
    """Ray, or InvalidRequest that says what to install."""
    try:
        return import_module("ray")
    except ImportError as error:
        raise InvalidRequest(f"{NEEDED} ({error})") from error


@contextmanager
def connected(cluster: Cluster) -> Generator[tuple[int, int]]:
    """A connection to a cluster, how many workers to keep on it and how many there may be.

    One that was started here ends with it. Unavailable where there is none at the address.
    """
    if cluster.address is None:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray = library()
    here: dict[str, Any] = {
        "include_dashboard": False,
        "object_store_memory": OBJECTS,
        "num_cpus": None if cluster.workers is None else max(cluster.workers[1] * cluster.cpus, 1),
    }
    try:
        ray.init(
            **(here if cluster.address is None else {"address": cluster.address}),
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        where, reason = cluster.address or "this machine", str(error).splitlines()[0]
        raise Unavailable(f"no Ray cluster at {where}: {reason}") from error
    try:
        yield cluster.workers or _workers(ray, cluster)
    finally:
        ray.shutdown()


def on_ray(cluster: Cluster) -> Callable[..., Worker]:
    """How a pool starts its workers on a cluster; see executors.worker.Start."""
    ray = library()
    actor = ray.remote(Body).options(
        num_cpus=cluster.cpus, num_gpus=cluster.gpus, max_restarts=0, max_task_retries=0
    )

    def start(
        make_engine: MakeEngine,
        on_report: Callable[[Worker, Report], None],
        on_end: Callable[[Worker], None],
    ) -> Worker:
        return RayWorker(actor.remote(make_engine), on_report, on_end)

    return start


def _workers(ray: Any, cluster: Cluster) -> tuple[int, int]:
    """One worker for each share of an accelerator, else one for each machine; all are kept."""
    if cluster.gpus > 0:
        count = int(ray.cluster_resources().get("GPU", 0) / cluster.gpus)
    else:
        count = sum(1 for node in ray.nodes() if node["Alive"])
    return max(count, 1), max(count, 1)
