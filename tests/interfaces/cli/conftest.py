"""Commands run in-process on small pictures, away from the user's own files and settings."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from partway.interfaces.cli import cli


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as home, settings and working directory."""
    home = tmp_path / "home"
    work = tmp_path / "work"
    home.mkdir()
    work.mkdir()
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.delenv("PARTWAY_CONFIG", raising=False)
    monkeypatch.chdir(work)
    return home


@pytest.fixture
def work(icon: Image.Image) -> Path:
    """The working directory, with icon.png in it."""
    icon.save("icon.png")
    return Path.cwd()


class Run:
    """`run("icon.png", "red", …)` → click's Result with stdout, stderr and exit_code."""

    def __call__(self, *args: str, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(cli, list(args), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def lines(self, result: Result) -> list[dict[str, Any]]:
        """The JSON Lines of a result."""
        return [json.loads(line) for line in result.stdout.splitlines()]

    def pixels(self, picture: Path | str | bytes) -> NDArray[np.uint8]:
        """The pixels of a file or of its bytes."""
        with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as image:
            return np.asarray(image)

    def size(self, picture: Path | str | bytes) -> tuple[int, int]:
        """Width and height of a file or of its bytes."""
        shape = self.pixels(picture).shape
        return shape[1], shape[0]


@pytest.fixture
def run() -> Run:
    return Run()
