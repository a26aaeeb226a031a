"""The Containerfile without a container engine: what it copies, installs, runs and asks exists."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from partway.interfaces.cli import COMMANDS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Containerfile").read_text("utf-8")
KNOWN = {
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN",
    "STOPSIGNAL", "USER", "WORKDIR",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line.strip()]


def only(kind: str) -> str:
    found = [rest for name, rest in instructions() if name == kind]
    assert len(found) == 1, kind
    return found[0]


def test_every_instruction_is_one() -> None:
    assert {name for name, _ in instructions()} <= KNOWN
    assert instructions()[0][0] == "FROM"


def test_what_is_copied_is_there_and_not_ignored() -> None:
    kept = [
        line[1:]
        for line in (ROOT / ".containerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    ]
    for _, rest in (each for each in instructions() if each[0] == "COPY"):
        words = rest.split()
        if words[0].startswith("--from"):
            continue
        for name in words[:-1]:
            assert (ROOT / name).exists(), name
            assert any(fnmatch(name, pattern) for pattern in kept), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {project["readme"], *project["license-files"], "pyproject.toml", "src"}
    assert needed <= set(kept), "the build needs what it does not copy"


def test_extras_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [
        name for each in re.findall(r"EXTRAS=([\w,]+)", TEXT) for name in each.split(",") if name
    ]
    assert named
    assert set(named) <= set(project["optional-dependencies"])


def test_it_runs_as_nobody_and_offline() -> None:
    names = [name for name, _ in instructions()]
    assert int(only("USER")) > 0
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert f"--uid {only('USER')} " in TEXT
    assert "HF_HUB_OFFLINE=1" in only("ENV")
    assert set(re.findall(r"^#.* partway ([a-z]+)", TEXT, re.MULTILINE)) <= set(COMMANDS)


@pytest.mark.slow
def test_its_command_serves_and_its_health_check_asks_it(tmp_path: Path) -> None:
    command = [*json.loads(only("ENTRYPOINT")), *json.loads(only("CMD"))]
    assert command[0] == "partway"
    port = command[command.index("--port") + 1]
    assert port == only("EXPOSE")
    check = json.loads(only("HEALTHCHECK").split(" CMD ", 1)[1])
    assert f":{port}/" in check[-1]
    with socket.create_server(("127.0.0.1", 0)) as free:
        here = str(free.getsockname()[1])
    words = [sys.executable, "-m", "partway", *(here if w == port else w for w in command[1:])]
    asked = [sys.executable, *(word.replace(f":{port}/", f":{here}/") for word in check[1:])]
    closed = {name: value for name, value in os.environ.items() if name != "PARTWAY_API_KEY"}
    closed |= {"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    refused = subprocess.run(words, env=closed, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "PARTWAY_API_KEY" in refused.stderr
    opened = closed | {"PARTWAY_API_KEY": "k" * 32}
    assert subprocess.run(asked, env=opened, capture_output=True).returncode != 0
    with subprocess.Popen(words, env=opened) as server:
        try:
            limit = time.monotonic() + 300
            while subprocess.run(asked, env=opened, capture_output=True).returncode != 0:
                assert time.monotonic() < limit
                assert server.poll() is None
        finally:
            server.terminate()
    assert server.returncode == 0
