"""Start-up: help, versions, default command, what is imported, errors in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import partway
from partway.interfaces.cli import COMMANDS, cli, main

if TYPE_CHECKING:
    from .conftest import Run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, run: Run) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: cli {command}")
    assert result.stderr == ""


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_help_lists_every_command(args: tuple[str, ...], run: Run) -> None:
    result = run(*args)
    assert result.exit_code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"partway {partway.__version__}\n"


@pytest.mark.parametrize(("option", "hidden"), [("-q", "1"), ("--quiet", "1"), ("--json", None)])
def test_a_quiet_command_hides_the_hubs_bars(
    option: str, hidden: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_nothing(**_: object) -> None: ...

    environment: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(sys, "argv", ["partway", "icon.png", "red", option])
    monkeypatch.setattr(cli, "main", run_nothing)
    main()
    assert environment.get("HF_HUB_DISABLE_PROGRESS_BARS") == hidden


def modules_after(args: list[str]) -> set[str]:
    """Top-level modules that a command line loads, in a process of its own."""
    script = (
        "import sys; from partway.interfaces.cli import cli\n"
        f"try: cli.main({args!r}, prog_name='partway')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('\\n', *sys.modules)"
    )
    path = os.pathsep.join([str(Path(partway.__file__).parent.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["completion", "bash"]])
def test_light_commands_import_only_click(args: list[str]) -> None:
    heavy = {"numpy", "PIL", "rich", "openvino", "tokenizers", "platformdirs"}
    assert not modules_after(args) & heavy


@pytest.mark.parametrize(
    "args",
    [
        ["plan", "-s", "0.45", "--json"],
        ["models"],
        ["models", "pocket"],
        ["icon.png", "cat face, 3d", "--dry-run"],
        ["-p", "cat face, 3d", "--dry-run"],
        ["icon.png", "cat", "-s", "0"],
    ],
)
def test_these_load_no_runtime(args: list[str], work: Path) -> None:
    del work
    assert not modules_after(args) & {"openvino", "tokenizers", "torch"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["icon.png", "red", "-s", "1.2"], "error: strength is 1.2, allowed is 0 … 1"),
        (["icon.png", "red", "-s", "nan"], "error: strength is nan, allowed is 0 … 1"),
        (["icon.png", "red", "-s", "much"], "strength is 'much', want a number"),
        (["icon.png", "red", "--steps", "0"], "steps is 0, allowed is 1"),
        (["icon.png", "red", "--steps", "3", "--full-steps", "4"], "not both"),
        (["icon.png", "red", "--dial", "standart"], "did you mean 'standard'?"),
        (["icon.png", "red", "--sampler", "eulr"], "did you mean 'euler'?"),
        (["icon.png", "red", "--sampler", "DPM++ 3M SDE"], "did you mean 'dpmpp_2m_sde'?"),
        (["icon.png", "red", "--spacing", "even"], "unknown spacing 'even'"),
        (["icon.png", "red", "--spacing", "beta", "--sampler", "heun karras"], "leave one out"),
        (["icon.png", "red", "--precision", "fp16"], "unknown precision 'fp16'"),
        (["icon.png", "red", "--seed", "x"], "seed is 'x', want a whole number or random"),
        (["icon.png", "red", "--seed", "-1"], "seed is -1, allowed is 0"),
        (["icon.png", "red", "-m", "pokcet"], "unknown model 'pokcet'"),
        (["icon.png", "red", "--guidance-interval", "0.2"], "want LOW:HIGH"),
        (["icon.png", "red", "--guidance-interval", "0.9:0.2"], "want 0 ≤ LOW < HIGH ≤ 1"),
        (["icon.png", "red", "--size", "20x20"], "an edit keeps its source's size"),
        (["-p", "red", "--size", "20"], "want WxH"),
        (["icon.png", "red", "--nonsense"], "No such option"),
        (["a red owl"], "'a red owl' is no file"),
        (["missing.png", "red"], "missing.png cannot be read"),
        (["icn.png", "red"], "did you mean icon.png?"),
        (["swep", "icon.png"], "did you mean `partway sweep`?"),
        (["icon.png", "icon.png", "red"], "several sources need the prompt as an option"),
        (["icon.png", "fox,", "3d"], 'needs quotes: partway icon.png "fox, 3d"'),
        (["swep", "icon.png", "red"], "did you mean `partway sweep`?"),
        (["icon.png", "red", "-s", "abc"], "strength is 'abc', want a number from 0"),
        (["-", "-"], "stdin can be read once"),
        (["icon.png", "@missing.txt"], "the prompt file 'missing.txt' cannot be read"),
        (["-s", "0.5"], "nothing to do"),
        (["sweep", "icon.png", "red", "--strengths", "0:1"], "want FROM:TO:STEP"),
        (["sweep", "icon.png", "icon.png", "red"], "takes one SOURCE"),
        (["plan", "-s", "2"], "strength is 2.0, allowed is 0 … 1"),
        (["completion", "bsh"], "did you mean 'bash'?"),
        (["models", "nothing"], "unknown model 'nothing'"),
    ],
)
def test_wrong_requests_are_one_line(args: list[str], message: str, run: Run, work: Path) -> None:
    before = sorted(work.iterdir())
    result = run(*args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert sorted(work.iterdir()) == before


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, run: Run) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert result.stdout.startswith("# ")
    assert "_PARTWAY_COMPLETE" in result.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sw"], "sweep"),
        (["icon.png", "red", "--sampler", "dpm"], "dpmpp_2m"),
        (["icon.png", "--str"], "--strength"),
        (["plan", "--fu"], "--full-steps"),
        (["ico"], "file"),
    ],
)
def test_completions(words: list[str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.shell_completion import ShellComplete

    del monkeypatch
    items = ShellComplete(cli, {}, "partway", "_X").get_completions(words[:-1], words[-1])
    assert expected in {item.value for item in items} | {item.type for item in items}


def test_unexpected_errors_show_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("partway.settings.settings_file", broken)
    with pytest.raises(ZeroDivisionError):
        run("plan", "-s", "0.5")


@pytest.mark.parametrize("written", ["0,3", "30%", " 0.3 "])
def test_strength_as_people_write_it(written: str, run: Run, work: Path) -> None:
    result = run("plan", "-s", written, "-m", "analytic", "--json")
    assert run.lines(result)[0]["strength"] == 0.3
