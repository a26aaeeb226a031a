"""Promises S1, S2 and S10: many clients, clients that leave, errors in every form."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import psutil
import pytest
import requests
from PIL import Image

from partway.errors import PartwayError, QueueFull, Uncalibrated, UnknownName
from partway.executors.local import LocalExecutor
from partway.executors.worker import in_thread
from partway.interfaces.http.app import create_app
from partway.interfaces.http.errors import status_of
from partway.interfaces.http.jobs import Jobs
from partway.interfaces.http.service import Models, Service

CLIENTS, QUEUE = 200, 16
# seconds until a place is free: one is promised, on a machine that has nothing else to do
IN_TIME = 1.0 if "PARTWAY_FULL" in os.environ else 2.0


async def flood(executor: LocalExecutor, png: bytes) -> tuple[int, list[int], int, float]:
    """Clients that all come at once and obey Retry-After: most accepted at a time, their final
    status codes, how often one was sent away, and by how many MB memory grew.
    """
    service = Service(executor, Models(["analytic"]), Jobs(), 60)
    transport = httpx.ASGITransport(create_app(service))
    body = {"source": base64.b64encode(png).decode(), "steps": 2, "model": "analytic"}
    most = refused = 0
    process = psutil.Process()
    before = process.memory_info().rss

    async def client(http: httpx.AsyncClient) -> int:
        nonlocal most, refused
        for _ in range(200):
            answer = await http.post("/v1/edits", json=body)
            most = max(most, len(executor._entries))
            if answer.status_code != 429:
                return answer.status_code
            refused += 1
            assert int(answer.headers["retry-after"]) >= 1
            await asyncio.sleep(0.05 * int(answer.headers["retry-after"]))
        return 429

    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        codes = await asyncio.gather(*(client(http) for _ in range(CLIENTS)))
    grown = (process.memory_info().rss - before) / 1e6
    service.close()
    return most, list(codes), refused, grown


@pytest.fixture
def narrow() -> Any:
    made = LocalExecutor(in_thread, queue_size=QUEUE, places=1)
    yield made
    made.close()


@pytest.mark.slow
def test_s1_the_queue_is_bounded(narrow: LocalExecutor, png: bytes) -> None:
    most, codes, refused, grown = asyncio.run(flood(narrow, png))
    assert most <= QUEUE + 1
    assert codes == [202] * CLIENTS
    assert refused > 0
    assert grown < 40


@pytest.mark.slow
def test_s1_a_queue_without_bound_would_be_noticed(
    narrow: LocalExecutor, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def room(*args: Any) -> None:
        return None

    monkeypatch.setattr(LocalExecutor, "_check_room", room)
    most, _, refused, _ = asyncio.run(flood(narrow, png))
    assert most > QUEUE + 1 or refused == 0


@dataclass
class Left:
    """What came of clients that left.

    held      trials in which a place was not free again in time
    longest   seconds until it was, at most
    pictures  of the other client, in each trial
    solo      its picture where nobody else asks
    """

    held: int = 0
    longest: float = 0.0
    pictures: list[bytes | None] = field(default_factory=list[bytes | None])
    solo: bytes | None = None


async def leave(
    executor: LocalExecutor, png: bytes, trials: int, network: threading.Event | None = None
) -> Left:
    """Clients that leave at random moments while another client's request runs.

    network  its calls wait for this; set when the client is gone, who has then only waited
    """
    service = Service(executor, Models(["analytic"]), Jobs(), 60)
    app = create_app(service)
    transport = httpx.ASGITransport(app)
    source = base64.b64encode(png).decode()
    moments = random.Random(0)  # noqa: S311
    fields = {"source": source, "mode": "exact", "steps": 10, "seed": 1}
    found = Left()

    async def picture(http: httpx.AsyncClient) -> Any:
        return service.jobs.get((await http.post("/v1/edits", json=fields)).json()["id"])

    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        alone = await picture(http)
        await alone.wait()
        found.solo = alone.files[0]
        for trial in range(trials):
            if network is not None:
                network.clear()
            other = await picture(http)
            before = set(executor._entries)
            await _post_and_leave(
                app, fields | {"steps": 1000, "seed": 2 + trial}, moments.uniform(0, 0.05)
            )
            gone = time.monotonic()
            while set(executor._entries) - before and time.monotonic() - gone < IN_TIME:
                await asyncio.sleep(0.005)
            found.longest = max(found.longest, time.monotonic() - gone)
            found.held += bool(set(executor._entries) - before)
            for each in set(executor._entries) - before:
                executor.cancel(each)
            if network is not None:
                network.set()
            await other.wait()
            found.pictures.append(other.files.get(0))
    service.close()
    return found


async def _post_and_leave(app: Any, fields: dict[str, Any], after: float) -> None:
    """A client that sends a request, waits a little and closes the connection."""
    body = [{"type": "http.request", "body": json.dumps(fields).encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if body:
            return body.pop()
        await asyncio.sleep(after)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        del message

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/edits",
        "raw_path": b"/v1/edits",
        "query_string": b"wait=1",
        "headers": headers,
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 7861),
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
        "root_path": "",
    }
    await app(scope, receive, send)


@pytest.fixture
def network(slow_network: Callable[[float], threading.Event]) -> threading.Event:
    """Network calls take 3 ms at least, so that a long request is long, and wait for this."""
    return slow_network(0.003)


@pytest.mark.slow
def test_s2_a_client_that_left_the_queue_is_never_served(
    png: bytes, network: threading.Event
) -> None:
    executor = LocalExecutor(in_thread, places=1)
    try:
        left = asyncio.run(leave(executor, png, 30, network))
        evaluations = executor.status().evaluations
    finally:
        executor.close()
    assert (left.held, left.pictures) == (0, [left.solo] * 30)
    assert evaluations == 31 * 10


@pytest.mark.slow
@pytest.mark.usefixtures("network")
def test_s2_a_client_that_left_a_run_frees_its_place(png: bytes) -> None:
    executor = LocalExecutor(in_thread, places=2)
    try:
        left = asyncio.run(leave(executor, png, 70))
    finally:
        executor.close()
    print(f"S2: free again after {left.longest:.3f} s at most")
    assert (left.held, left.pictures) == (0, [left.solo] * 70)


@pytest.mark.slow
def test_s2_a_server_that_works_on_would_be_noticed(
    png: bytes, network: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ignore(*args: Any) -> None:
        return None

    monkeypatch.setattr(Service, "cancel", ignore)
    executor = LocalExecutor(in_thread, places=1)
    try:
        assert asyncio.run(leave(executor, png, 1, network)).held == 1
    finally:
        executor.close()


# Errors that take more than a message.
SPECIAL: dict[type[PartwayError], PartwayError] = {
    QueueFull: QueueFull("full", 7),
    UnknownName: UnknownName("sampler", "x", ["euler"]),
    Uncalibrated: Uncalibrated("analytic"),
}


def every_error(kind: type[PartwayError] = PartwayError) -> Iterator[PartwayError]:
    """One of each kind that the server can answer with, its own among them."""
    for each in kind.__subclasses__():
        if each.__module__ in {"partway.errors", "partway.interfaces.http.errors"}:
            yield SPECIAL.get(each) or each("what was wrong")
        yield from every_error(each)


def test_s10_every_error_reaches_both_clients_in_their_form(
    address: str, icon: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = list(every_error())
    assert len({error.code for error in errors}) >= 25
    where = urlsplit(address)
    webui: Any = import_module("webuiapi").WebUIApi(
        host=where.hostname, port=where.port, sampler="Euler"
    )
    with openai.OpenAI(api_key="any", base_url=f"{address}/v1", max_retries=0) as client:
        for error in errors:

            async def submit(*args: Any, error: PartwayError = error, **kwargs: Any) -> None:
                raise error

            monkeypatch.setattr(Service, "submit", submit)
            with pytest.raises(openai.APIStatusError) as caught:
                client.images.generate(prompt="owl")
            assert caught.value.status_code == status_of(error)
            assert caught.value.code == error.code
            assert caught.value.type
            assert str(error) in caught.value.message
            if isinstance(error, QueueFull):
                assert isinstance(caught.value, openai.RateLimitError)
                assert caught.value.response.headers["retry-after"] == "7"
            with pytest.raises(RuntimeError) as told:
                webui.img2img([icon])
            status, text = told.value.args
            assert (status, json.loads(text)["error"]) == (status_of(error), error.code)
            assert json.loads(text)["detail"] == str(error)


def test_pictures_are_inert(address: str, png: bytes) -> None:
    """Whatever was sent, a file that is served is our own and cannot run."""
    body = {"source": base64.b64encode(png).decode(), "strength": 0.0}
    job = requests.post(f"{address}/v1/edits?wait=1", json=body, timeout=30).json()
    file = requests.get(f"{address}{job['results'][0]['image']}", timeout=30)
    assert file.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in file.headers["content-security-policy"]
    assert file.headers["content-disposition"].startswith("inline; filename=")
