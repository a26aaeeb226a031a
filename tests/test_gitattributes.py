"""What is no text is marked so in .gitattributes: no diff prints 100,000 lines of weights."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def git(*words: str, given: str = "") -> str:
    done = subprocess.run(
        ["git", *words], cwd=ROOT, input=given, capture_output=True, text=True, check=True
    )
    return done.stdout


def is_text(file: Path) -> bool:
    try:
        return "\0" not in file.read_bytes().decode()
    except UnicodeDecodeError:
        return False


@pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="no clone, or no git"
)
def test_no_diff_prints_what_is_no_text() -> None:
    tracked = [name for name in git("ls-files", "-z").split("\0") if (ROOT / name).is_file()]
    told = git("check-attr", "-z", "--stdin", "diff", given="\0".join(tracked)).split("\0")
    marked = {name for name, value in zip(told[::3], told[2::3], strict=False) if value == "unset"}
    assert [each for each in tracked if each not in marked and not is_text(ROOT / each)] == []
    assert any(name.endswith(".onnx") for name in marked)
