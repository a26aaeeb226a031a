"""docs/batch.md is code: its commands run in turn, its numbers are the program's."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from partway.checkpoints.device import VARIABLE
from partway.errors import Cancelled, ModelError, Quarantined, UserError
from partway.examples import EXAMPLES
from partway.executors.pool import SHARE, STALLED
from partway.interfaces.cli import batch, cli
from partway.jobs import embedded
from partway.jobs.claim import OWNER, journal_folder
from partway.jobs.folder import MEMORY
from partway.jobs.inputs import FIELDS
from partway.jobs.journal import FILE, Stopped
from partway.jobs.remote import is_remote, remote

PAGE = (Path(__file__).parent.parent.parent / "docs" / "batch.md").read_text("utf-8")
COMMANDS = [
    shlex.split(c, comments=True) for c in PAGE.split("```sh\n")[1].split("```")[0].splitlines()
]


def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("icons").mkdir()
    for example in EXAMPLES:
        shutil.copy(example.file, "icons")
        Path("masks").mkdir(exist_ok=True)
        with Image.open(example.file) as image:
            Image.new("L", image.size, 255).save(f"masks/{example.file.name}")
    Path("list.txt").write_text("icons/fox.png\nicons/teapot.png\n")
    Path("table.csv").write_text("file,prompt\nteapot.png,teapot 3d\n")
    said: list[str] = []
    for command in COMMANDS:
        done = CliRunner().invoke(cli, [*command[1:], "--steps", "1"])
        assert done.exit_code == 0, done.output
        said.append(done.output)
    assert "3 to make" in said[0]
    assert "3 made" in said[1]
    assert "0 made, 3 there already" in said[2]
    assert {f.name for f in Path("out2").glob("*.webp")} >= {"fox-s0.3.webp", "fox-s0.5.webp"}
    assert {f.name for f in Path("out3").glob("*.png")} == {"fox.png", "teapot.png"}
    assert "3 made" in said[6]


def test_commands_for_buckets_are_understood() -> None:
    """They run in test_buckets.py and test_remote.py; here their words are those of the command."""
    lines = PAGE.split("\n```\npartway")[1].split("```")[0].splitlines()
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(line.removeprefix("partway"), comments=True)
        context = batch.command.make_context("batch", words[1:])
        assert is_remote(context.params["source"])


def test_names_and_numbers_are_the_programs() -> None:
    for field in FIELDS:
        assert f"`{field}`" in PAGE
    assert f"`{','.join(embedded.FIELDS)}`" in PAGE
    assert f"`{FILE}`" in PAGE
    assert f"`{OWNER}`" in PAGE
    folder = journal_folder(remote("memory://out"))
    assert f"`{folder.parent.name}/` of the user's data folder" in PAGE
    assert f"up to {SHARE} pictures" in PAGE
    assert f"for {STALLED:g} seconds" in PAGE
    assert f"`{VARIABLE}`" in PAGE
    assert f"`{Quarantined.code}`" in PAGE
    assert f"Up to {MEMORY // 2**20} MiB" in PAGE
    codes = (ModelError.exit_code, UserError.exit_code, batch.EXIT_SOME_FAILED,
             Stopped.exit_code, Cancelled.exit_code)  # fmt: skip
    for code in codes:
        assert f"\n| {code} |" in PAGE
