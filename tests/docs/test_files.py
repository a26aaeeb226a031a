"""docs/files.md is code: its commands run, its limits are the program's."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from partway import images
from partway.examples import PHOTOGRAPH
from partway.images.read import MAX_FRAMES

PAGE = (Path(__file__).parent.parent.parent / "docs" / "files.md").read_text("utf-8")
COMMANDS = PAGE.split("```sh\n")[1].split("```")[0].splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command: str, tmp_path: Path) -> None:
    shutil.copy(PHOTOGRAPH, tmp_path / "cat.jpg")
    words = shlex.split(command)
    if "0" not in words:  # for a photograph, and without its minutes
        words[2:2] = ["-m", "analytic", "--steps", "1"]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / words[-1]).exists()


def test_limits_are_the_programs() -> None:
    assert f"{images.MAX_PIXELS // 10**6} megapixels" in PAGE
    assert f"{images.MAX_SIDE:,} pixels a side" in PAGE
    assert f"{images.MAX_BYTES // 2**20} MiB of file" in PAGE
    assert f"{images.MAX_UPLOAD // 2**20} MiB over HTTP" in PAGE
    assert f"{MAX_FRAMES:,} frames" in PAGE
    for suffix in (".png", ".tif", ".webp", ".jpg", ".avif", ".bmp"):
        assert f"`{suffix}`" in PAGE
