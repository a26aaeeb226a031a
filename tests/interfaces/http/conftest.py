"""A server in this process: the application on an executor with a worker in a thread."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from served import served

from partway.executors.local import LocalExecutor
from partway.executors.worker import in_thread
from partway.families.analytic import Analytic
from partway.interfaces.http.app import create_app
from partway.interfaces.http.jobs import Jobs
from partway.interfaces.http.security import Access
from partway.interfaces.http.service import Models, Service

HOME = "http://127.0.0.1:7861"
Client = Callable[..., TestClient]
CONNECT, LOOK_UP = socket.socket.connect, socket.getaddrinfo  # before a test forbids them


@pytest.fixture
def client_of() -> Iterator[Client]:
    """Makes clients of servers; the analytic family is the default model."""
    open_clients: list[tuple[TestClient, LocalExecutor, Service]] = []

    def build(
        access: Access | None = None,
        *,
        jobs: Jobs | None = None,
        seconds: float = 60,
        **options: Any,
    ) -> TestClient:
        executor = LocalExecutor(in_thread, **options)
        service = Service(executor, Models(["analytic"]), Jobs() if jobs is None else jobs, seconds)
        client = TestClient(
            create_app(service, access), base_url=HOME, headers={"X-Partway": "test"}
        )
        client.__enter__()
        open_clients.append((client, executor, service))
        return client

    yield build
    for client, executor, service in open_clients:
        executor.close()
        client.__exit__(None, None, None)
        service.close()


@pytest.fixture
def client(client_of: Client) -> TestClient:
    return client_of()


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave for real clients to reach servers of this machine, and no other."""

    def connect(self: socket.socket, to: Any) -> None:
        assert to[0] == "127.0.0.1", f"a test tried to reach {to}"
        CONNECT(self, to)

    def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert host == "127.0.0.1", f"a test tried to reach {host}"
        return LOOK_UP(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def address(loopback: None) -> Iterator[str]:
    """A server on a port of this machine."""
    del loopback
    with served() as address:
        yield address


@pytest.fixture
def png(icon: Image.Image) -> bytes:
    stream = io.BytesIO()
    icon.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def slow_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], threading.Event]:
    """Makes network calls take so many seconds at least, and wait for the event it gives, which
    is set.
    """
    real = Analytic.predict
    free = threading.Event()
    free.set()

    def slow(seconds: float) -> threading.Event:
        def predict(self: Analytic, *args: Any) -> Any:
            time.sleep(seconds)
            assert free.wait(60)
            return real(self, *args)

        monkeypatch.setattr(Analytic, "predict", predict)
        return free

    return slow


Events = list[tuple[int, str, dict[str, Any]]]
Parse = Callable[[str], Events]


@pytest.fixture
def sse() -> Parse:
    """Reads an event stream: id, name, facts."""

    def parse(text: str) -> Events:
        events: Events = []
        for block in text.split("\n\n"):
            if block and not block.startswith(":"):
                lines = dict(line.split(": ", 1) for line in block.split("\n"))
                events.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
        return events

    return parse
