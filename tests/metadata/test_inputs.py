"""Files found again by name and by bytes, and nothing else opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from partway.errors import InputsDiffer
from partway.metadata.document import file_of
from partway.metadata.inputs import Finder

DATA = b"the bytes of a picture"


def find(folder: Path, name: str | None) -> bytes:
    return Finder(folder).file(file_of(DATA, name), "source", None, "--source FILE")


def test_by_name_up_to_two_folders_up(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "cat.png").write_bytes(DATA)
    assert find(inner, "../../cat.png") == DATA
    with pytest.raises(InputsDiffer):
        find(inner, "cat.png")


def test_by_content_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    assert find(tmp_path, "cat.png") == DATA
    assert find(tmp_path, None) == DATA


def test_a_pipe_or_folder_of_that_name_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cat.png")
    with pytest.raises(InputsDiffer):
        find(tmp_path, "cat.png")
    (tmp_path / "dog.png").mkdir()
    with pytest.raises(InputsDiffer):
        find(tmp_path, "dog.png")


def test_the_very_file_comes_before_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(DATA[::-1])
    (tmp_path / "moved.png").write_bytes(DATA)
    assert find(tmp_path, "cat.png") == DATA
