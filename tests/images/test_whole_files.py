from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from partway import images
from partway.errors import InvalidRequest, OutputExists


def test_save_is_whole_or_nothing(icon: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.png"
    images.save(icon, path)
    assert np.array_equal(images.load(path.read_bytes()).rgb, np.asarray(icon))
    before = path.read_bytes()
    with pytest.raises(OutputExists, match="--force"):
        images.save(icon.rotate(90), path)
    assert path.read_bytes() == before
    images.save(icon.rotate(180), path, overwrite=True)
    assert path.read_bytes() != before
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_a_failing_write_leaves_the_old_file(
    icon: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    images.save(icon, path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidRequest, match="No space left"):
        images.save(icon.rotate(180), path, overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_file_systems_without_hard_links(
    icon: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "a.png"
    images.save(icon, path)
    assert images.load(path.read_bytes()).extent == (96, 64)
    with pytest.raises(OutputExists):
        images.write_whole(b"other", path)
    assert images.load(path.read_bytes()).extent == (96, 64)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_name_taken_meanwhile_is_not_replaced(icon: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"somebody else's")
    with pytest.raises(OutputExists):
        images.write_whole(b"ours", path)  # as after a check that found nothing
    assert path.read_bytes() == b"somebody else's"


def test_files_get_the_users_permissions(icon: Image.Image, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        images.save(icon, tmp_path / "a.png")
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


def test_names_as_long_as_the_file_system_allows(icon: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".png")
    images.save(icon, path)
    assert path.exists()
