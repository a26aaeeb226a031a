from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def test_a_full_disk_leaves_the_old_file(icon: Image.Image, tmp_path: Path) -> None:
    """A file system of 256 kB, mounted for a child process of its own where that is allowed."""
    script = tmp_path / "fill.py"
    script.write_text(FILL)
    mounted = f'mount -t tmpfs -o size=256k none "$0" && exec {sys.executable} {script} "$0"'
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here: /dev/full is tested instead")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["True", "['a.png']", "No space left on device"]


FILL = """
import os, sys
from pathlib import Path
from typing import Any
from partway.errors import InvalidRequest
from partway.images import write_whole

folder = Path(sys.argv[1])
write_whole(b"old" * 1000, folder / "a.png")
try:
    write_whole(os.urandom(2**20), folder / "a.png", overwrite=True)
    said = "nothing"
except InvalidRequest as error:
    said = str(error).split(": ")[-1]
print((folder / "a.png").read_bytes() == b"old" * 1000)
print(sorted(os.listdir(folder)))
print(said)
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_device_that_is_full_leaves_the_old_file(
    icon: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    images.save(icon, path)
    before = path.read_bytes()
    really_open: Any = Path.open

    def on_a_full_disk(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.suffix == ".tmp":
            really_open(self, *args, **kwargs).close()
            return really_open(Path("/dev/full"), "wb")
        return really_open(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", on_a_full_disk)
    with pytest.raises(InvalidRequest, match="No space left"):
        images.save(icon.rotate(180), path, overwrite=True)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_what_is_written_is_flushed_then_named_then_its_folder_flushed(
    icon: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    images.save(icon, path)
    events: list[str] = []
    really_flush, really_rename = os.fsync, Path.replace

    def flush(descriptor: int) -> None:
        mode = os.fstat(descriptor).st_mode
        events.append("folder flushed" if stat.S_ISDIR(mode) else "file flushed")
        really_flush(descriptor)

    def rename(self: Path, target: Path) -> Path:
        assert self.parent == target.parent
        events.append("renamed")
        return really_rename(self, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", rename)
    images.save(icon.rotate(180), path, overwrite=True)
    assert events == ["file flushed", "renamed", "folder flushed"]
