"""Where pictures are made, and what each worker may take: options of batch and serve."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from partway.batcher import MAX_ROWS
from partway.checkpoints.device import VARIABLE
from partway.engine import CACHE_BYTES, Engine
from partway.executors.local import LocalExecutor
from partway.executors.ray import Cluster
from partway.executors.worker import MakeEngine, Worker, in_process, in_thread
from partway.interfaces.cli import batch, cli, serve, workers
from partway.interfaces.http import running

MIB = 2**20


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[AbstractContextManager[Any]]:
    """The workers that servers were started with, which then are not."""
    taken: list[AbstractContextManager[Any]] = []

    def serve(options: running.Options, up: Any, workers: AbstractContextManager[Any]) -> None:
        del options, up
        taken.append(workers)

    monkeypatch.setattr(running, "serve", serve)
    monkeypatch.setenv(VARIABLE, "cpu")
    return taken


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def budgets(engine: Any) -> tuple[int, int | None, int]:
    """Bytes it remembers and of weights it keeps, rows of its network calls."""
    return engine._remembered._cache._budget, engine._models._budget, engine._max_rows


def test_a_server_has_one_worker_with_the_engines_own_budgets(
    served: list[AbstractContextManager[Any]],
) -> None:
    assert run("serve", "-m", "analytic").exit_code == 0
    with served[0] as (start, engines, least):
        assert start is in_process
        assert [budgets(make()) for make in engines] == [(CACHE_BYTES, None, MAX_ROWS)]
        assert least == 1


def test_a_server_has_a_worker_on_each_device_within_its_budgets(
    served: list[AbstractContextManager[Any]],
) -> None:
    words = ("serve", "-m", "analytic", "--devices", "cpu,cpu", "--memory", "8")
    assert run(*words, "--model-memory", "16", "--batch-size", "4").exit_code == 0
    with served[0] as (start, engines, least):
        assert start is in_process
        assert [budgets(make()) for make in engines] == [(8 * MIB, 16 * MIB, 4)] * 2
        assert least == 2, "those of this machine stay"


@pytest.mark.usefixtures("served")
def test_options_that_exclude_each_other_are_said() -> None:
    for words, said in (
        (("--executor", "ray", "--devices", "cpu"), "give --gpus"),
        (("--gpus", "1"), "--gpus is for Ray"),
        (("--devices", "tpu"), "device is 'tpu'"),
        (("--executor", "slurm"), "slurm"),
        (("--workers", "0:3"), "workers is '0:3', want N or MIN:MAX with 1 ≤ MIN ≤ MAX ≤ 1024"),
        (("--workers", "5:2"), "workers is '5:2', want N or MIN:MAX"),
        (("--workers", "a:b"), "try 2:16"),
        (("--workers", "0"), "try 2:16"),
        (("--workers", "2:"), "try 2:16"),
        (("--workers", "1:2:3"), "try 2:16"),
        (("--workers", "2:16"), "--workers is for Ray"),
    ):
        done = run("serve", *words)
        assert done.exit_code == 2
        assert said in done.stderr


def test_the_servers_page_has_commands_that_are_understood() -> None:
    """Those for a cluster run in tests/interfaces/http/test_ray_serve.py."""
    page = (Path(__file__).parents[3] / "docs/server.md").read_text("utf-8")
    lines = page.split("## Several devices")[1].split("```\n")[1].splitlines()
    assert len(lines) == 5
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[:2] == ["partway", "serve"]
        serve.command.make_context("serve", words[2:])


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> list[MakeEngine]:
    """Workers that were started on one that is none: threads of this process."""
    begun: list[MakeEngine] = []

    def start(make_engine: MakeEngine, *heard: Any) -> Worker:
        begun.append(make_engine)
        return in_thread(make_engine, *heard)

    def connected(of: Cluster) -> AbstractContextManager[tuple[int, int]]:
        assert of.workers is not None
        return nullcontext(of.workers)

    def on_ray(_: Cluster) -> Any:
        return start

    monkeypatch.setattr(workers, "connected", connected)
    monkeypatch.setattr(workers, "on_ray", on_ray)
    monkeypatch.setenv(VARIABLE, "cpu")
    return begun


@pytest.mark.parametrize(("said", "started"), [("1:3", 1), ("3", 3)])
def test_a_batch_starts_as_many_as_are_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cluster: list[MakeEngine],
    said: str,
    started: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Image.new("RGB", (8, 8), "red").save("in/a.png")
    words = ("batch", "in", "out", "red", "-m", "analytic", "--steps", "1", "-s", "0.5")
    done = run(*words, "--executor", "ray", "--workers", said)
    assert done.exit_code == 0, done.output
    assert Path("out/a.png").exists()
    assert len(cluster) == started


@pytest.mark.parametrize(("said", "started"), [("1:3", 1), ("3", 3)])
def test_a_server_starts_as_many_as_are_kept(
    monkeypatch: pytest.MonkeyPatch, cluster: list[MakeEngine], said: str, started: int
) -> None:
    class Enough(Exception):
        pass

    def made(*given: Any, **options: Any) -> None:
        LocalExecutor(*given, **options).close()
        raise Enough

    monkeypatch.setattr(running, "LocalExecutor", made)
    words = ("serve", "-m", "analytic", "--port", "0", "--executor", "ray", "--workers", said)
    assert isinstance(run(*words).exception, Enough)
    assert len(cluster) == started


def test_a_batch_keeps_the_weights_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Image.new("RGB", (8, 8), "red").save("in/a.png")
    made: list[Engine] = []

    def engine(**options: int) -> Engine:
        made.append(Engine(**options))
        return made[-1]

    monkeypatch.setattr(batch, "Engine", engine)
    words = ("batch", "in", "out", "red", "-m", "analytic", "--steps", "1", "-s", "0.5")
    assert run(*words, "--memory", "64", "--model-memory", "32").exit_code == 0
    assert [budgets(each) for each in made] == [(16 * MIB, 32 * MIB, MAX_ROWS)]
