"""Promise S6: a server told to stop finishes what it accepted, and nothing new."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import uvicorn

from partway.executors.local import LocalExecutor
from partway.executors.worker import in_thread
from partway.interfaces.http import jobs, running
from partway.interfaces.http.app import create_app
from partway.interfaces.http.jobs import Jobs
from partway.interfaces.http.running import CLOSING, Server, address_of, listen
from partway.interfaces.http.service import Models, Service

FULL = "PARTWAY_FULL" in os.environ
STOPS, AT_ONCE = 50, 10  # of servers in threads
SIGNALS = 20 if FULL else 1  # to one in a process, at random moments
SIGN = {"X-Partway": "test"}
LONG = {"model": "analytic", "prompt": "navy", "steps": "500", "strength": "0.5"}
Started = Callable[[float], tuple[Server, str, threading.Thread]]


@pytest.fixture
def started(loopback: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Starts a server with seconds of grace in a thread."""
    monkeypatch.setattr(running, "LINGER", 0.5)
    ends: list[Callable[[], None]] = []
    one_by_one = threading.Lock()

    def start(grace: float) -> tuple[Server, str, threading.Thread]:
        executor = LocalExecutor(in_thread)
        service = Service(executor, Models(["analytic"]), Jobs(), 60)
        listener = listen("127.0.0.1", 0)
        app = create_app(service)
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=CLOSING)
        server = Server(config, service, grace)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        ends.extend([executor.close, service.close])
        address = address_of(listener)
        with one_by_one:  # with its first request FastAPI builds the routes: not for threads
            thread.start()
            httpx.get(f"{address}/health/live", headers=SIGN, trust_env=False, timeout=60)
        return server, address, thread

    yield start
    for end in ends:
        end()


def test_who_comes_before_the_server_is_up_waits(loopback: None) -> None:
    """Its address is said when it listens; a browser that is opened on it is not refused."""
    del loopback
    listener = listen("127.0.0.1", 0)
    with socket.create_connection(listener.getsockname(), 2), listener:
        pass


def stopped_under_load(started: Started, png: bytes, grace: float, steps: str) -> dict[str, Any]:
    """Two jobs run, one waited for and one not; the server is told to stop; what comes of each."""
    server, address, thread = started(grace)
    fields = LONG | {"steps": steps}
    answers: list[httpx.Response] = []
    with httpx.Client(base_url=address, headers=SIGN, trust_env=False, timeout=60) as http:

        def wait() -> None:
            answers.append(http.post("/v1/edits?wait=1", data=fields, files={"source": png}))

        job = http.post("/v1/edits", data=fields, files={"source": png}).json()
        waiting = threading.Thread(target=wait)
        waiting.start()
        deadline = time.monotonic() + 20
        while server._executor.status().queued + server._executor.status().running < 2:
            assert time.monotonic() < deadline, "the jobs ended before the test began"
            time.sleep(0.002)
        server.handle_exit(signal.SIGTERM, None)
        facts: dict[str, Any] = {}
        late: httpx.Response | None = None
        image: bytes | None = None
        try:
            while server._executor.status().ready:
                time.sleep(0.002)
            late = http.post("/v1/edits", data=fields, files={"source": png})
            while (facts := http.get(job["url"]).json())["status"] in {"queued", "running"}:
                time.sleep(0.1)
            if facts["status"] == "done":
                image = http.get(facts["results"][0]["image"]).content
        except httpx.TransportError:  # its port is closed
            facts = {}
        waiting.join(60)
    thread.join(20)
    return {
        "waited": answers[0] if answers else None,
        "late": late,
        "status": facts.get("status"),
        "image": image,
        "ended": not thread.is_alive(),
    }


def test_s6_what_was_accepted_is_finished(
    started: Started, png: bytes, slow_network: Callable[[float], threading.Event]
) -> None:
    slow_network(0.02)  # asleep: many servers at once need little of the machine
    draw = random.Random(0)  # noqa: S311

    def stop(steps: int) -> dict[str, Any]:
        return stopped_under_load(started, png, 60, str(steps))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        stops = list(pool.map(stop, [draw.randrange(50, 100) for _ in range(STOPS)]))
    for found in stops:
        assert found["waited"].json()["status"] == "done"
        assert found["late"].status_code == 503
        assert int(found["late"].headers["retry-after"]) >= 1
        assert found["status"] == "done"
        assert found["image"].startswith(b"\x89PNG")
        assert found["ended"]


def test_s6_what_takes_too_long_is_answered_503(started: Started, png: bytes) -> None:
    began = time.monotonic()
    found = stopped_under_load(started, png, 0.2, "1000")
    assert found["waited"].status_code == 503
    assert int(found["waited"].headers["retry-after"]) >= 1
    assert found["status"] == "failed"
    assert found["ended"]
    assert time.monotonic() - began < 0.2 + CLOSING + 5


def test_s6_files_that_are_still_made_are_waited_for(
    started: Started, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is done long before: its results wait to be encoded."""
    real = jobs.encode_result

    def slow(*args: Any, **options: Any) -> Any:
        time.sleep(3.0)
        return real(*args, **options)

    monkeypatch.setattr(jobs, "encode_result", slow)
    server, address, thread = started(60)
    with httpx.Client(base_url=address, headers=SIGN, trust_env=False, timeout=60) as http:
        job = http.post("/v1/edits", data=LONG | {"steps": "2"}, files={"source": png}).json()
        server.handle_exit(signal.SIGTERM, None)
        while (facts := http.get(job["url"]).json())["status"] in {"queued", "running"}:
            time.sleep(0.02)
        assert facts["status"] == "done"
        assert http.get(facts["results"][0]["image"]).status_code == 200
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("mutant", ["closes its port at once", "goes on accepting"])
def test_s6_a_server_that_stops_otherwise_would_be_noticed(
    mutant: str, started: Started, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(self: Server) -> None:
        self._executor.drain()
        self.should_exit = True

    def idle(self: LocalExecutor, *, follows: bool) -> None:
        del self, follows

    if mutant == "goes on accepting":
        monkeypatch.setattr(LocalExecutor, "_check_open", idle)
        assert stopped_under_load(started, png, 60, "500")["late"].status_code == 202
    else:
        monkeypatch.setattr(Server, "_stop", close)
        assert stopped_under_load(started, png, 60, "500")["image"] is None


@pytest.mark.slow
def test_s6_a_signal_ends_it_with_0(loopback: None, png: bytes) -> None:
    command = [sys.executable, "-m", "partway", "serve", "--port", "0", "-m", "analytic"]
    moments = random.Random(0)  # noqa: S311
    for _ in range(SIGNALS):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            try:
                ended_by_a_signal(server, png, moments.uniform(0, 0.2))
            finally:
                server.kill()


def ended_by_a_signal(server: subprocess.Popen[str], png: bytes, after: float) -> None:
    assert server.stderr is not None
    found = re.search(r"http://\S+", server.stderr.readline())
    assert found is not None
    with httpx.Client(base_url=found[0], headers=SIGN, trust_env=False, timeout=60) as http:
        wait_until_ready(http)
        job = http.post("/v1/edits", data=LONG, files={"source": png}).json()
        time.sleep(after)
        server.send_signal(signal.SIGTERM)
        while (facts := http.get(job["url"]).json())["status"] in {"queued", "running"}:
            time.sleep(0.02)
        assert facts["status"] == "done"
        assert http.get(facts["results"][0]["image"]).status_code == 200
    _, said = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "Traceback" not in said


def wait_until_ready(http: httpx.Client) -> None:
    """Its address was said: from then on nobody is refused."""
    deadline = time.monotonic() + 60
    while http.get("/health/ready").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
