"""What the server remembers, and for how long."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
import weakref
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from partway import images
from partway.executors import Submission
from partway.executors.local import LocalExecutor
from partway.interfaces.http import fitting, jobs
from partway.interfaces.http.idempotency import Idempotency
from partway.interfaces.http.jobs import Entry, Job, Jobs
from partway.interfaces.http.service import check_requests
from partway.request import EditRequest

if TYPE_CHECKING:
    from PIL.Image import Image
    from starlette.types import Message, Receive, Scope, Send

Client = Callable[..., TestClient]
FIELDS = {"model": "analytic", "prompt": "navy", "steps": "2", "preview_every": "1"}


def ended(client: TestClient, png: bytes) -> dict[str, Any]:
    """A job's answer, and its facts when it has ended."""
    job = client.post("/v1/edits", data=FIELDS, files={"source": png}).json()
    deadline = time.monotonic() + 30
    while (facts := client.get(job["url"]).json()).get("status") in {"queued", "running"}:
        assert time.monotonic() < deadline, facts
        time.sleep(0.01)
    return job | facts


def test_a_job_beyond_the_budget_can_be_fetched_until_another_ends(
    client_of: Client, png: bytes
) -> None:
    client = client_of(jobs=Jobs(nbytes=1))
    first = ended(client, png)
    assert client.get(first["results"][0]["image"]).status_code == 200
    second = ended(client, png)
    assert client.get(second["results"][0]["image"]).status_code == 200
    assert client.get(first["url"]).status_code == 404


def test_results_are_let_go_as_they_are_encoded(
    client: TestClient, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Submission] = []
    submit = LocalExecutor.submit

    def spy(*args: Any, **kwargs: Any) -> Submission:
        seen.append(submit(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(LocalExecutor, "submit", spy)
    ended(client, png)
    assert [each.outcomes for each in seen] == [{}]


def test_one_source_after_the_other_is_decoded(
    icon: Image, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty-two of 36 megapixels fit into one body: together they would fill the memory."""
    stream = io.BytesIO()
    icon.resize((40, 30)).save(stream, "PNG")
    held: list[weakref.ref[Any]] = []
    alive: list[int] = []
    load = images.load

    def counted(data: bytes, name: str = "the source") -> Any:
        alive.append(sum(each() is not None for each in held))
        picture = load(data, name)
        held.append(weakref.ref(picture.rgb))
        return picture

    monkeypatch.setattr(images, "load", counted)
    sources = [png, stream.getvalue(), png + b"\0"]
    asked = [
        EditRequest(source=sources[i % 3], model="analytic", strength=0.1 * i) for i in range(9)
    ]
    checked = check_requests(asked)
    assert [each.request for each in checked] == asked
    assert alive == [0, 0, 0]


def test_a_preview_that_cannot_be_made_ends_nothing(
    client: TestClient, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(image: Image) -> str:
        raise OSError(f"no encoder for {image.mode}")

    monkeypatch.setattr(jobs, "data_url", broken)
    assert ended(client, png)["status"] == "done"


@pytest.mark.parametrize("last", ["-1", "x", "9" * 5000])
def test_an_event_that_cannot_be_is_refused(client: TestClient, png: bytes, last: str) -> None:
    url = ended(client, png)["events"]
    answer = client.get(url, headers={"Last-Event-ID": last})
    assert answer.status_code == 422
    assert "want a number" in answer.json()["error"]["message"]


def test_previews_count_for_what_a_job_takes(client_of: Client, png: bytes) -> None:
    kept = Jobs()
    ended(client_of(jobs=kept), png)
    job = kept.all()[0]
    before = job.nbytes
    job.previews[0] = Entry(10**6, "preview", {"index": 0, "image": "x" * 10**6})
    assert job.nbytes - before >= 10**6


def test_many_previews_cost_each_the_same() -> None:
    """They replace each other; the log that they stand beside may be long."""

    async def told() -> tuple[float, list[str]]:
        job = Job([], "png")
        job.forget()
        job.log = [Entry(i, "step", {}) for i in range(200_000)]
        job._next_id = len(job.log)
        began = time.process_time()
        for i in range(500):
            job._say("preview", {"index": i % 2, "image": ""})
        took = time.process_time() - began
        watched = job.watch(199_998)
        entries = [await anext(watched) for _ in range(3)]
        return took, [each.event for each in entries if each is not None]

    took, events = asyncio.run(told())
    assert events == ["step", "preview", "preview"]
    assert took < 1.0


def test_an_answer_that_is_swept_while_it_is_made_harms_nothing() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if not inner:
            inner.append(True)
            await post("another")  # which finds this one over the budget

    async def post(name: str) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Message) -> None:
            del message

        scope = {
            "type": "http", "method": "POST", "path": "/v1/edits", "query_string": b"",
            "headers": [(b"idempotency-key", name.encode())],
        }  # fmt: skip
        await middleware(scope, receive, send)

    inner: list[bool] = []
    middleware = Idempotency(app, seconds=-1.0, nbytes=0)
    asyncio.run(post("one"))
    assert inner


def test_one_of_several_that_failed_is_told(
    client: TestClient, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, calls = jobs.encode_result, count()

    def broken(*args: Any, **kwargs: Any) -> Any:
        if next(calls) % 2 == 0:
            raise OSError("the encoder broke")
        return encode(*args, **kwargs)

    monkeypatch.setattr(jobs, "encode_result", broken)
    body: dict[str, Any] = {"prompt": "navy", "steps": 2, "n_iter": 2, "width": 32, "height": 32}
    answer = client.post("/sdapi/v1/txt2img", json=body).json()
    assert len(answer["images"]) == 1
    assert "the encoder broke" in str(json.loads(answer["info"])["warnings"])
    body = {"prompt": "navy", "steps": 2, "n": 2, "size": "32x32"}
    answer = client.post("/v1/images/generations", json=body).json()
    assert len(answer["data"]) == 1
    assert "the encoder broke" in answer["failed"][0]["message"]
    monkeypatch.undo()
    assert "failed" not in client.post("/v1/images/generations", json=body).json()


def test_small_files_that_become_large_are_bounded_together(
    client: TestClient, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty-two of some kilobytes may ask for 36 megapixels each."""
    picture = base64.b64encode(png).decode()
    size = {"width": 200, "height": 200}
    larger = {"resize_mode": 0, "upscaling_resize": 2, "upscaler_1": "Nearest"}
    edit: dict[str, Any] = {"init_images": [picture] * 3, "steps": 1} | size
    extras: dict[str, Any] = {"imageList": [{"data": picture}] * 3} | larger
    for path, body in (("img2img", edit), ("extra-batch-images", extras)):
        assert client.post(f"/sdapi/v1/{path}", json=body).status_code == 200
        monkeypatch.setattr(fitting, "MAX_TOGETHER", 2 * len(picture))
        answer = client.post(f"/sdapi/v1/{path}", json=body)
        assert (answer.status_code, "send fewer" in answer.text) == (422, True), answer.text
        monkeypatch.undo()
