"""`partway serve`: an executor behind a socket, until it is told to stop.

The first SIGTERM or Ctrl-C has new work refused (503) and what was accepted finished within the
grace; answers and results can be fetched until then, and shortly after. The second ends it at once.
"""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, TypeAlias

import uvicorn

from partway.errors import InvalidRequest
from partway.executors.local import LocalExecutor
from partway.executors.worker import MakeEngine, Start
from partway.interfaces.http.app import create_app
from partway.interfaces.http.jobs import Jobs
from partway.interfaces.http.patience import PatientProtocol
from partway.interfaces.http.security import Access, hosts_of, origin_of
from partway.interfaces.http.service import Models, Service

HOST, PORT = "127.0.0.1", 7861
MIN_KEY = 8  # characters
GRACE = 30.0  # seconds
LINGER = 2.0  # seconds in which the results of the last jobs can still be fetched
CLOSING = 5  # seconds in which answers under way are sent
BACKLOG = 2048  # connections that wait to be taken

Workers: TypeAlias = AbstractContextManager[tuple[Start, list[MakeEngine], int]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a server is run.

    host, port     to listen on; port 0 takes a free one
    key            API key; needed where host is not the loopback interface
    models         allowed beside the embedded ones; the first is the default
    allow_hosts    further names of this server
    allow_origins  further pages that may ask
    queue_size     jobs that may wait
    seconds        a job may take, waiting included
    grace          seconds to finish after the first signal
    """

    host: str = HOST
    port: int = PORT
    key: str | None = None
    models: Sequence[str] = ()
    allow_hosts: Sequence[str] = ()
    allow_origins: Sequence[str] = ()
    queue_size: int = 32
    seconds: float = 600.0
    grace: float = GRACE


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_bind(host: str, key: str | None) -> None:
    """InvalidRequest where a server would be open to others without a key."""
    if key is not None and len(key) < MIN_KEY:
        raise InvalidRequest(f"the API key has {len(key)} characters, want at least {MIN_KEY}")
    if key is None and not is_loopback(host):
        raise InvalidRequest(
            f"{host} can be reached from other machines: give an API key (--api-key or "
            "PARTWAY_API_KEY), or listen on 127.0.0.1"
        )


def access_of(options: Options) -> Access:
    """Who may ask a server of these options."""
    everywhere = options.host in {"0.0.0.0", "::", ""}  # noqa: S104  compared, not bound
    try:
        origins = frozenset(origin_of(each) for each in options.allow_origins)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    own = () if everywhere else (options.host,)
    names = (*own, *options.allow_hosts, *((socket.gethostname(),) if options.key else ()))
    return Access(
        key=options.key, hosts=hosts_of(names), origins=origins, any_ip=options.key is not None
    )


class Server(uvicorn.Server):
    """uvicorn with our signals: drain at the first, end at the second, exit code 0.

    grace  seconds to finish what was accepted; the rest is answered 503
    """

    def __init__(self, config: uvicorn.Config, service: Service, grace: float = GRACE) -> None:
        super().__init__(config)
        self._executor = service.executor
        self._jobs = service.jobs
        self._grace = grace
        self._stopping = False

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle SIGINT and SIGTERM while serving."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in handled}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A signal, or a request to stop."""
        del sig, frame
        if self._stopping:
            self.should_exit = self.force_exit = True
            return
        self._stopping = True
        # not here: the signal may have come while this thread holds the executor's lock
        threading.Thread(target=self._stop, daemon=True).start()

    def _stop(self) -> None:
        """Finish what was accepted while the port is open, then close it."""
        self._executor.drain()
        had_work, end = self._busy(), monotonic() + self._grace
        while self._busy() and monotonic() < end:
            sleep(0.05)
        self._executor.close()
        if had_work:
            sleep(LINGER)
        self.should_exit = True

    def _busy(self) -> bool:
        """Whether anything accepted is unfinished."""
        status = self._executor.status()
        return status.queued + status.running > 0 or self._jobs.busy


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on; InvalidRequest where that is not possible.

    Who connects before the server is up waits for it, instead of being refused.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"cannot listen on {host}:{port}: {reason}; try --port 0") from error
    return listener


def serve(options: Options, on_up: Callable[[str], None], workers: Workers) -> None:
    """Serve until told to stop.

    on_up    hears the server's address when it listens
    workers  entered when the server may listen: what starts them, the engine of each there
             may be, and how many are kept
    """
    check_bind(options.host, options.key)
    access = access_of(options)
    models = Models(options.models)
    listener = listen(options.host, options.port)
    with closing(listener), workers as (start, engines, least):
        executor = LocalExecutor(start, *engines, queue_size=options.queue_size, least=least)
        service = Service(executor, models, Jobs(), options.seconds)
        try:
            config = uvicorn.Config(
                create_app(service, access),
                http=PatientProtocol,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=CLOSING,
                limit_concurrency=1000,
            )
            on_up(address_of(listener))
            Server(config, service, options.grace).run(sockets=[listener])
        finally:
            executor.close(grace=0.0)
            service.close()


def address_of(listener: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
