"""Promise S7: clients that are slow or rude keep no place, and others do not notice them."""

from __future__ import annotations

import logging
import os
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
from served import served

from partway.interfaces.http import patience

COUNT = 200  # of each kind
FULL = "PARTWAY_FULL" in os.environ
ASKED = 100 if FULL else 20  # by the normal client, each time
SHARE = 0.95 if FULL else 0.5  # of its answers that count: twenty have no tail to speak of
LARGE = 8 * 2**20  # bytes of an answer that does not fit into the sockets
EDIT = {"prompt": "navy", "steps": 2, "model": "analytic", "size": [32, 32]}


@pytest.fixture
def port(loopback: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server with little patience, and one route whose answer is large."""
    del loopback
    monkeypatch.setattr(patience, "HEAD_SECONDS", 3.0)
    monkeypatch.setattr(patience, "TAKE_SECONDS", 1.0)

    async def large() -> Any:
        from starlette.responses import Response

        return Response(b"x" * LARGE)

    with served(large=large) as address:
        yield int(address.rpartition(":")[2])


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def connected(port: int, sent: bytes = b"", buffer: int | None = None) -> socket.socket:
    made = socket.socket()
    if buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    made.connect(("127.0.0.1", port))
    made.sendall(sent)
    return made


def post(size: int) -> bytes:
    return (
        b"POST /v1/edits HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Partway: 1\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n" % size
    )


def reset(client: socket.socket) -> None:
    """Close it with RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def latency(port: int) -> float:
    """Seconds of an edit for a client that behaves: p95, or the median."""
    taken: list[float] = []
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        for _ in range(ASKED):
            began = time.perf_counter()
            assert client.post("/v1/edits?wait=1", json=EDIT).status_code == 200
            taken.append(time.perf_counter() - began)
    return sorted(taken)[int(SHARE * ASKED)]


def ended(client: socket.socket) -> bool:
    """Whether the server closed the connection."""
    client.settimeout(0)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.slow
def test_s7_slow_and_rude_clients(port: int, caplog: pytest.LogCaptureFixture) -> None:
    latency(port)  # everything is loaded
    before = psutil.Process().num_fds()
    idle = latency(port)
    moments = random.Random(0)  # noqa: S311
    slow = [connected(port, b"GET / HTTP/1.1\r\nX-") for _ in range(COUNT)]
    slow += [connected(port) for _ in range(COUNT // 4)]  # that ask nothing at all
    for _ in range(COUNT):  # gone in the middle of an upload
        rude = connected(port, post(1_000_000) + os.urandom(moments.randrange(1, 20_000)))
        reset(rude)
    for _ in range(COUNT // 4):  # half closed
        half = connected(port, post(100)[: moments.randrange(20, 150)])
        half.shutdown(socket.SHUT_WR)
        slow.append(half)
    deaf = [
        connected(port, b"GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 4096)
        for _ in range(COUNT // 20)
    ]
    under = latency(port)
    for letter in (b"a", b"b", b"c"):  # letter by letter is no head either
        for client in slow[:COUNT]:
            if not ended(client):
                client.send(letter)
        time.sleep(0.3)
    with caplog.at_level(logging.ERROR):
        gone = until(lambda: all(ended(client) for client in slow), 10)
    assert gone, sum(not ended(client) for client in slow)
    # the server's half of those that take nothing is closed although their own is open
    assert until(lambda: psutil.Process().num_fds() <= before + len(slow) + len(deaf), 10)
    for client in (*slow, *deaf):
        client.close()
    assert until(lambda: psutil.Process().num_fds() <= before, 5)
    assert under < 2 * idle + 0.05  # seconds: a busy machine's own hiccups
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["head", "answer"])
def test_s7_endless_patience_would_be_noticed(
    port: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS" if kind == "head" else "TAKE_SECONDS", 1e6)
    host = b"Host: 127.0.0.1\r\n"
    head = (
        b"GET / HTTP/1.1\r\nX-" if kind == "head" else b"GET /large HTTP/1.1\r\n" + host + b"\r\n"
    )
    before = psutil.Process().num_fds()
    client = connected(port, head, 4096)
    assert until(lambda: psutil.Process().num_fds() == before + 2, 5)  # its end and ours
    assert not until(lambda: psutil.Process().num_fds() <= before + 1, 4)
    client.close()
