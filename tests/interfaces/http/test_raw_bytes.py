"""Promise N7 below HTTP libraries: bytes that are nearly a request are answered below 500."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import time
from contextlib import suppress
from typing import Any

import pytest
from served import served

from partway.interfaces.http import sdapi

COUNT = 10_000 if "PARTWAY_FULL" in os.environ else 200
AT_ONCE = 20
QUIET, HANG = 0.5, 10.0  # seconds
FINE = {b"1", b"2", b"3", b"4"}  # first digits of status codes
SEED = 0

EDIT = {"prompt": "navy", "steps": 1, "model": "analytic", "size": [32, 32]}
ASKED = [
    "/", "/docs", "/openapi.json", "/metrics", "/health/ready", "/v1/models", "/v1/choices",
    "/v1/styles", "/v1/jobs/x", "/v1/jobs/x/events", "/sdapi/v1/options", "/sdapi/v1/progress",
    "/sdapi/v1/memory",
]  # fmt: skip
SENT = [
    ("/v1/edits?wait=1", EDIT), ("/v1/sweeps?wait=1", EDIT | {"strengths": "0:1:0.5"}),
    ("/v1/plan", {"strength": 0.5}), ("/v1/inspect", {"source": "iVBORw0KGgo="}),
    ("/sdapi/v1/txt2img", {"prompt": "navy", "steps": 1, "width": 32, "height": 32}),
    ("/sdapi/v1/options", {"sd_model_checkpoint": "analytic"}),
    ("/v1/images/generations", {"prompt": "navy", "steps": 1, "size": "32x32"}),
]  # fmt: skip
ODD = [
    b"\0", b"\r\n", b"\r\n\r\n", b"\n", b"\xff\xfe", b" ", b"\t", b"%", b"%00", b"%ff", b"..",
    b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n",
    b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    b"Host: 127.0.0.1\r\n", b"X-Forwarded-Host: x\r\n", b"Range: bytes=0-,0-\r\n",
    b"Idempotency-Key: \xe9\r\n", b"Last-Event-ID: x\r\n", b"Prefer: wait=-1\r\n",
    b"Content-Type: multipart/form-data\r\n", b"A: " + b"b" * 5000 + b"\r\n", b"[" * 500,
    b'"steps": 1e999,', b'"size": [1, 1],', b'"prompt": "\\ud800",',
]  # fmt: skip


def request(method: str, path: str, kind: bytes = b"", body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n".encode()
    head += b"X-Partway: 1\r\n"
    if body:
        head += b"Content-Type: %s\r\nContent-Length: %d\r\n" % (kind, len(body))
    return head + b"\r\n" + body


def whole() -> list[bytes]:
    """Twenty requests that are right, and a form."""
    form = b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nnavy\r\n--b--\r\n'
    made = [request("GET", path) for path in ASKED]
    for path, body in SENT:
        made.append(request("POST", path, b"application/json", json.dumps(body).encode()))
    return [*made, request("POST", "/v1/edits", b"multipart/form-data; boundary=b", form)]


def spoiled(data: bytes, draw: random.Random) -> bytes:
    """A request with one to four places changed."""
    for _ in range(draw.randint(1, 4)):
        here = draw.randrange(len(data) + 1)
        there = min(here + draw.randrange(1, 30), len(data))
        changes = (
            data[:here] + draw.choice(ODD) + data[here:],
            data[:here] + draw.choice(ODD) + data[there:],
            data[:here] + data[there:],
            data[:here] + data[here:there] * 2 + data[there:],
            data[:here] + bytes([draw.randrange(256)]) + data[here + 1 :],
            data[:here],
            _behind_first_line(data, draw.choice(ODD)),
            data + data,
        )
        data = draw.choice(changes)
    return data


def _behind_first_line(data: bytes, more: bytes) -> bytes:
    first, end, rest = data.partition(b"\r\n")
    return first + end + more + rest


async def answers(address: str, data: bytes, quiet: float) -> list[bytes]:
    """Status codes of what is answered before the connection ends, or a hang.

    A client that says nothing more for a while is through; most of these leave the server waiting.
    """
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    said = b""
    try:
        writer.write(data)
        for patience in (quiet, HANG):
            with suppress(TimeoutError):
                while more := await asyncio.wait_for(reader.read(65536), patience):
                    said += more
                break
            if patience == HANG:
                return [b"a hang"]
            writer.write_eof()
    except OSError:  # it closed the connection while we wrote
        pass
    finally:
        writer.close()
    return [line[:3] for line in said.split(b"HTTP/1.1 ")[1:]]


async def asked(address: str, given: list[bytes], quiet: float = HANG) -> list[list[bytes]]:
    """The answers to each, some at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(data: bytes) -> list[bytes]:
        async with places:
            return await answers(address, data, quiet)

    return await asyncio.gather(*(one(data) for data in given))


def wrong(address: str, count: int) -> list[tuple[bytes, list[bytes]]]:
    """What was answered otherwise than 1xx to 4xx."""
    draw = random.Random(SEED)  # noqa: S311
    right = whole()
    given = [spoiled(draw.choice(right), draw) for _ in range(count)]
    each = zip(given, asyncio.run(asked(address, given, QUIET)), strict=True)
    return [(data, codes) for data, codes in each if any(code[:1] not in FINE for code in codes)]


@pytest.mark.slow
def test_n7_nearly_a_request(loopback: None, caplog: pytest.LogCaptureFixture) -> None:
    with served() as address, caplog.at_level(logging.ERROR):
        codes = asyncio.run(asked(address, whole()))
        assert [each[0][:1] for each in codes].count(b"2") == 17  # others name no job or picture
        began = time.perf_counter()
        assert wrong(address, COUNT) == []
        print(f"N7: {COUNT} raw requests, seed {SEED}, {time.perf_counter() - began:.0f} s")
        assert asyncio.run(asked(address, [request("GET", "/health/ready")])) == [[b"200"]]
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("path", ["/v1/models", "/health/live", "/v1/jobs/x"])
def test_n7_a_body_that_is_none_is_answered_once(
    path: str, loopback: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The route is done before the connection is closed for what came behind the head."""
    head = request("GET", path).removesuffix(b"\r\n") + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    with served() as address:
        assert asyncio.run(asked(address, [head])) == [[b"400"]]
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_n7_a_route_that_breaks_would_be_noticed(
    loopback: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(body: bytes) -> Any:
        return json.loads(body)  # what is no JSON is nobody's error

    monkeypatch.setattr(sdapi, "parse_json", parse)
    with served() as address:
        assert any(codes == [b"500"] for _, codes in wrong(address, 200))
