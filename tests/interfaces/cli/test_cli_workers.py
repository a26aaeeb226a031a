"""Where pictures are made, and what each worker may take: options of batch and serve."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from partway.batcher import MAX_ROWS
from partway.checkpoints.device import VARIABLE
from partway.engine import CACHE_BYTES, Engine
from partway.executors.worker import in_process
from partway.interfaces.cli import batch, cli, serve
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
    with served[0] as (start, engines):
        assert start is in_process
        assert [budgets(make()) for make in engines] == [(CACHE_BYTES, None, MAX_ROWS)]


def test_a_server_has_a_worker_on_each_device_within_its_budgets(
    served: list[AbstractContextManager[Any]],
) -> None:
    words = ("serve", "-m", "analytic", "--devices", "cpu,cpu", "--memory", "8")
    assert run(*words, "--model-memory", "16", "--batch-size", "4").exit_code == 0
    with served[0] as (start, engines):
        assert start is in_process
        assert [budgets(make()) for make in engines] == [(8 * MIB, 16 * MIB, 4)] * 2


@pytest.mark.usefixtures("served")
def test_options_that_exclude_each_other_are_said() -> None:
    for words, said in (
        (("--executor", "ray", "--devices", "cpu"), "give --gpus"),
        (("--gpus", "1"), "--gpus is for Ray"),
        (("--devices", "tpu"), "device is 'tpu'"),
        (("--executor", "slurm"), "slurm"),
    ):
        done = run("serve", *words)
        assert done.exit_code == 2
        assert said in done.stderr


def test_the_servers_page_has_commands_that_are_understood() -> None:
    """Those for a cluster run in tests/interfaces/http/test_ray_serve.py."""
    page = (Path(__file__).parents[3] / "docs/server.md").read_text("utf-8")
    lines = page.split("## Several devices")[1].split("```\n")[1].splitlines()
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[:2] == ["partway", "serve"]
        serve.command.make_context("serve", words[2:])


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
