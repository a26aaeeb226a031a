"""`partway serve` with its workers on a real Ray cluster; runs where Ray is (make test-ray)."""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from partway.engine import Engine
from partway.images import read_bytes
from partway.request import EditRequest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray: make test-ray"),
    pytest.mark.usefixtures("loopback"),
]
HEADERS = {"X-Partway": "1"}
PATIENCE = 300.0  # seconds: Ray takes minutes to start on a busy machine
ASKED = {"prompt": "navy, orange", "strength": "0.5", "mode": "exact", "model": "analytic"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Its address and process; two workers on a cluster of its own."""
    environment = os.environ | {
        "RAY_worker_niceness": "0",
        "HOME": str(tmp_path_factory.mktemp("h")),
    }
    words = [sys.executable, "-m", "partway", "serve", "--port", "0", "-m", "analytic",
             "--executor", "ray", "--workers", "2"]  # fmt: skip
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stderr is not None
        line = next(each for each in child.stderr if "Partway is at" in each)
        yield line.split(" at ")[1].split()[0], child.pid
        workers = actors(child.pid)
        child.terminate()
        assert child.wait(60) == 0
    assert workers
    until(lambda: not any(map(is_actor, workers)))  # the cluster ends with it


@pytest.fixture
def asking(server: tuple[str, int]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server[0], headers=HEADERS, timeout=PATIENCE) as client:
        until(lambda: client.get("/health/ready").status_code == 200)
        yield client


def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def is_actor(process: int) -> bool:
    """Whether it is one of Ray's that holds an engine."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::Body")
    except OSError:  # it ended meanwhile
        return False


def actors(server: int) -> list[int]:
    """Those of a server: its own, and no other cluster's of this machine."""
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = place.joinpath("stat").read_text().rsplit(")", 1)[1].split()
            parents[int(place.name)] = int(words[1])
    family = {server}
    while more := {each for each, parent in parents.items() if parent in family} - family:
        family |= more
    return sorted(filter(is_actor, family))


def alone(png: bytes, **fields: Any) -> NDArray[np.uint8]:
    """What one engine of this process makes."""
    request = EditRequest(
        source=png, prompt="navy, orange", model="analytic", strength=0.5, **fields
    )
    return np.asarray(Engine().run(request).image)


def pixels(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def submit(client: httpx.Client, png: bytes, **fields: str) -> str:
    answer = client.post("/v1/edits", files={"source": png}, data=ASKED | fields)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def result(client: httpx.Client, job: str) -> NDArray[np.uint8]:
    until(lambda: client.get(f"/v1/jobs/{job}").json()["status"] not in {"queued", "running"})
    facts = client.get(f"/v1/jobs/{job}").json()
    assert facts["status"] == "done", facts
    return pixels(client.get(f"/v1/jobs/{job}/images/0").content)


def test_every_api_gives_the_picture_of_one_machine(
    asking: httpx.Client, icon: Image.Image
) -> None:
    png = read_bytes(icon)
    expected = alone(png, steps=6, seed=3)
    job = submit(asking, png, steps="6", seed="3")
    assert np.array_equal(result(asking, job), expected)
    events = asking.get(f"/v1/jobs/{job}/events").text
    assert events.count("event: step") == 6
    assert "event: done" in events
    old = {"init_images": [base64.b64encode(png).decode()], "prompt": "navy", "steps": 4}
    answer = asking.post("/sdapi/v1/img2img", json=old)
    assert pixels(base64.b64decode(answer.json()["images"][0])).shape == expected.shape
    form = {"prompt": "navy", "model": "analytic", "response_format": "b64_json"}
    answer = asking.post("/v1/images/edits", files={"image": ("a.png", png)}, data=form)
    assert pixels(base64.b64decode(answer.json()["data"][0]["b64_json"])).shape == expected.shape


def test_a_delete_finds_the_job_wherever_it_runs(asking: httpx.Client, icon: Image.Image) -> None:
    png = read_bytes(icon)
    jobs = [submit(asking, png, steps="400", seed=str(seed)) for seed in range(4)]
    until(lambda: asking.get(f"/v1/jobs/{jobs[-1]}").json()["status"] == "running")
    assert asking.delete(f"/v1/jobs/{jobs[1]}").status_code < 300
    until(lambda: asking.get(f"/v1/jobs/{jobs[1]}").json()["status"] == "cancelled")
    for seed in (0, 2, 3):
        assert np.array_equal(result(asking, jobs[seed]), alone(png, steps=400, seed=seed))


def test_a_killed_worker_loses_no_job(
    asking: httpx.Client, server: tuple[str, int], icon: Image.Image
) -> None:
    png, process = read_bytes(icon), server[1]
    until(lambda: len(actors(process)) == 2)
    jobs = [submit(asking, png, steps="400", seed=str(seed)) for seed in range(6)]
    until(lambda: asking.get(f"/v1/jobs/{jobs[-1]}").json()["status"] == "running")
    os.kill(actors(process)[0], signal.SIGKILL)
    for seed, job in enumerate(jobs):
        assert np.array_equal(result(asking, job), alone(png, steps=400, seed=seed))
    assert "restarts_total 1" in asking.get("/metrics").text
    until(lambda: len(actors(process)) == 2)
