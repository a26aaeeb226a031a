"""The README is code: its commands and snippets run, its tree and numbers are true."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import partway
from partway.examples import EXAMPLES, PHOTOGRAPH
from partway.strength import BANDS

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PACKAGE = Path(partway.__file__).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first command of the README writes; later ones go on from it."""
    file = tmp_path_factory.mktemp("earlier") / "fox-s0.45.png"
    fox = next(example.file for example in EXAMPLES if example.file.name == "fox.png")
    partway.edit(fox, "fox, 3d", strength=0.45).save(file)
    return file


@pytest.fixture
def folder(tmp_path: Path, earlier: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for file in (*(example.file for example in EXAMPLES), PHOTOGRAPH):
        shutil.copy(file, tmp_path)
    shutil.copy(earlier, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


OURS = [command for command in commands() if command[0] == "partway"]
SERVING = [command for command in OURS if command[1] in {"page", "serve"}]


@pytest.mark.parametrize("command", [each for each in OURS if each not in SERVING], ids=" ".join)
def test_commands_run(command: list[str], folder: Path) -> None:
    before = set(folder.iterdir())
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if command[1] not in {"plan", "styles", "convert", "info"}:
        assert set(folder.iterdir()) - before, "nothing was written"


@pytest.mark.parametrize("command", SERVING, ids=" ".join)
def test_servers_start(command: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no browser is opened
    words = [sys.executable, "-m", *command, "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert "Partway is at http://127.0.0.1:" in server.stderr.readline()
        server.terminate()
        server.communicate(timeout=60)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = [command[1] for command in commands() if command[0] == "make"]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("snippet", blocks("python"))
def test_snippets_run(snippet: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_tree_names_every_module_and_no_other() -> None:
    tree = blocks("text")[0]
    named = set(re.findall(r"[├└]── ([\w/.]+)", tree))
    there = {p.name for p in PACKAGE.glob("*.py") if not p.name.startswith("__")}
    folders = {p.parent.name for p in PACKAGE.glob("*/__init__.py")} - {"interfaces"}
    deeper = {"interfaces/cli/", "interfaces/http/", "interfaces/page/", "models/pocket/"}
    expected = there | {f"{name}/" for name in folders} | deeper
    assert named == expected


def test_bands_are_the_programs() -> None:
    for _, words in BANDS[1:]:
        assert words in README.replace("\n", " "), words


def test_numbers_are_the_measured_ones() -> None:
    bench = json.loads((ROOT / "docs/results/bench.json").read_text("utf-8"))
    dial = json.loads((ROOT / "docs/results/dial.json").read_text("utf-8"))
    for row, key in {
        "one warm edit": "warm_20_evaluation_edit_s",
        "warm sweep": "warm_7_sweep_s",
        "process from start": "process_start_to_file_s",
        "installed": "installed_mb",
    }.items():
        line = next(line for line in README.splitlines() if row in line)
        assert re.search(rf"\| {re.escape(str(bench[key]))} (s|MB) \|", line), (row, bench[key])
    assert f"On {dial['pairs']} style pairs" in README


def test_the_committed_report_shows_the_dials_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    broken_promises: Callable[[Any], list[str]] = import_module("bench_dial").broken_promises
    report = json.loads((ROOT / "docs/results/dial.json").read_text("utf-8"))
    assert broken_promises(report) == []
    report["dials"]["standard"][3]["structure"] = 0.1
    assert len(broken_promises(report)) == 2


def test_pictures_and_links_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_attributions_travel_with_the_weights() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    assert (PACKAGE / "models/pocket/NOTICE").read_text("utf-8") == notice
    for owner in ("Microsoft", "Google", "Twitter", "EmojiOne", "Mozilla", "CC BY 4.0"):
        assert owner in notice


def test_the_servers_table_is_the_measured_one() -> None:
    text = (ROOT / "docs/server.md").read_text("utf-8")
    for row in json.loads((ROOT / "docs/results/serve.json").read_text("utf-8"))["loads"]:
        one, shared = row["one at a time"], row["shared"]
        cells = [f"{each['p95_s']:.1f} s" for each in (one, shared)]
        cells += [f"{each['throughput_per_s']:.2f}" for each in (one, shared)]
        assert f"| {row['load']} | {' | '.join(cells)} |" in text
