"""A job on a real Ray cluster of several processes; runs where Ray is installed (make test-ray)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from partway.engine import Engine
from partway.events import Done
from partway.executors.pool import Pool
from partway.executors.ray import Cluster, connected, on_ray
from partway.jobs import journal
from partway.jobs.folder import FolderRun
from partway.jobs.inputs import find
from partway.jobs.items import Common, Item, Items, Writing
from partway.request import EditRequest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray: make test-ray"),
    pytest.mark.filterwarnings("default"),  # Ray's own
]
CLUSTER = Cluster(workers=(2, 2))


def telling(folder: str) -> Engine:
    """An engine that leaves the number of its process."""
    Path(folder, str(os.getpid())).touch()
    return Engine()


def processes(folder: Path) -> set[int]:
    return {int(file.name) for file in folder.iterdir()}


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # as pytest names this module
        patch.setenv("RAY_worker_niceness", "0")  # as its driver: 15 gets nothing on a busy machine
        with connected(CLUSTER) as count:
            assert count == (2, 2)
            yield


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    Path("in").mkdir()
    for number in range(40):
        pixels = rng.integers(0, 256, (12, 12 + number % 3, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"in/{number:02}.png")
    Path("in/bad.png").write_bytes(b"no picture")
    run("expected", None)
    return tmp_path


def run(out: str, pool: Any, kill: Path | None = None) -> dict[str, object]:
    """The job of in/ into a folder; what was told of each picture."""
    request = EditRequest(prompt="red, navy", model="analytic", steps=10, strength=0.5)
    items = Items(find("in", Path(out)), Common(request, mode="exact"))
    told: dict[str, object] = {}

    def hear(item: Item, outcome: object) -> None:
        assert item.name not in told
        told[item.name] = outcome
        if kill is not None and len(told) == 3:
            os.kill(min(processes(kill)), signal.SIGKILL)

    with journal.opened(Path(out)) as book:
        job = FolderRun(Path(out), book, Writing(), hear, mode="exact", live=pool, width=2)
        assert job.run((item for _, item in items), threading.Event())
    return told


def until(so: Callable[[], bool]) -> None:
    limit = time.monotonic() + 300
    while not so():
        assert time.monotonic() < limit, "it never came to that"
        time.sleep(0.05)


def drained(pool: Pool) -> bool:
    """Let a pool without work look after its workers."""
    return not list(pool.step())


def files(folder: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(folder).glob("*.png")}


@pytest.mark.usefixtures("cluster")
def test_the_same_files_as_on_this_machine_and_a_killed_worker_loses_nothing(place: Path) -> None:
    pids = place / "pids"
    pids.mkdir()
    pool = partial(Pool, [partial(telling, str(pids))] * 2, on_ray(CLUSTER))
    told = run("out", pool, kill=pids)
    assert len(told) == 41
    assert [name for name, each in told.items() if isinstance(each, Exception)] == ["bad.png"]
    assert files("out") == files("expected")
    assert len(files("out")) == 40
    assert os.getpid() not in processes(pids)
    assert len(processes(pids)) >= 2, "the killed one was replaced, or the other took its work"
    shutil.rmtree("out")


@pytest.mark.usefixtures("cluster")
def test_workers_come_while_work_waits_and_go_when_none_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The cluster has room for two of three: the third is asked for and waited for by nobody."""
    import ray  # pyright: ignore[reportMissingImports]

    def taken() -> float:
        return 2 - float(ray.available_resources().get("CPU", 0.0))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]

    until(lambda: taken() == 0)  # of the test before
    requests = [
        EditRequest(prompt="red", model="analytic", steps=200, size=(32, 32), seed=seed)
        for seed in range(40)
    ]
    pool = Pool([partial(telling, str(tmp_path))] * 3, on_ray(CLUSTER), share=2, least=1, idle=3.0)
    until(lambda: drained(pool) and len(processes(tmp_path)) == 1)
    assert [place.worker is not None for place in pool._places] == [True, False, False]  # pyright: ignore[reportPrivateUsage]
    made: dict[int, bytes] = {}
    for index, request in enumerate(requests):
        list(pool.add(index, request, "exact"))
    asked = 0
    while len(pool):
        for event in pool.step():
            if isinstance(event, Done):
                made[event.index] = event.result.image.tobytes()
        asked = max(asked, sum(place.worker is not None for place in pool._places))  # pyright: ignore[reportPrivateUsage]
    assert asked == 3
    assert len(processes(tmp_path)) == 2
    engine = Engine()
    assert made == {i: engine.run(each).image.tobytes() for i, each in enumerate(requests)}
    until(lambda: drained(pool) and taken() == 1)
    assert [place.worker is not None for place in pool._places].count(True) == 1  # pyright: ignore[reportPrivateUsage]
    pool.close()
    until(lambda: taken() == 0)
    assert "a worker ended" not in caplog.text, "they were given back"
    assert len(processes(tmp_path)) == 2, "what was asked for and given up does not come later"


@pytest.mark.usefixtures("cluster", "place")
def test_the_command_joins_a_cluster_that_runs_and_is_killed() -> None:
    import ray  # pyright: ignore[reportMissingImports]

    address = str(ray.get_runtime_context().gcs_address)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    words = [sys.executable, "-m", "partway", "batch", "in", "out", "red, navy", "-m", "analytic",
             "--steps", "10", "-s", "0.5", "--no-metadata", "--exact"]  # fmt: skip
    on_cluster = ["--executor", "ray", "--address", address, "--workers", "2"]
    with subprocess.Popen([*words, *on_cluster], stderr=subprocess.DEVNULL) as child:
        while child.poll() is None and not files("out"):
            time.sleep(0.005)
        child.kill()
    there = files("out")
    assert 0 < len(there) < 40
    done = subprocess.run([*words, *on_cluster], capture_output=True, text=True, timeout=400)
    assert done.returncode == 3, done.stderr
    assert f"{40 - len(there)} made, {len(there)} there already, 1 failed" in done.stderr
    words[words.index("out")] = "alone"
    assert subprocess.run(words, capture_output=True).returncode == 3
    assert files("out") == files("alone")
    assert there.items() <= files("out").items(), "what was there when it was killed is whole"


@pytest.mark.usefixtures("cluster")
def test_a_cluster_that_is_started_here_is_closed() -> None:
    import ray  # pyright: ignore[reportMissingImports]

    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ports = {int(line.split()[1].split(":")[1], 16) for line in listening if " 0A " in line}
    assert 8265 not in ports, "the dashboard"
    address = str(ray.get_runtime_context().gcs_address)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    script = f"import ray; ray.init(address={address!r}, log_to_driver=False)"
    stranger = {name: value for name, value in os.environ.items() if "RAY_AUTH" not in name}
    stranger |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    done = subprocess.run(
        [sys.executable, "-c", script], env=stranger, capture_output=True, text=True, timeout=200
    )
    assert done.returncode != 0
    assert "token" in done.stderr.lower(), done.stderr[-500:]
