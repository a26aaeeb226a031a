"""One hash per checkpoint: other weights, other hash; remembered while nothing changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from partway.families import profile_of
from partway.metadata import fingerprint as module
from partway.metadata.fingerprint import fingerprint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "unet" / "weights.bin").write_bytes(bytes(range(256)) * 100)
    return folder


def test_what_decides_the_pixels_decides_the_hash(checkpoint: Path) -> None:
    before = fingerprint(checkpoint)
    assert before is not None
    (checkpoint / "README.md").write_text("for people")
    (checkpoint / ".hidden").write_text("x")
    assert fingerprint(checkpoint) == before
    (checkpoint / "config.json").write_text("{ }")
    after = fingerprint(checkpoint)
    assert after != before
    (checkpoint / "config.json").rename(checkpoint / "other.json")
    assert fingerprint(checkpoint) not in {before, after}


def test_a_copy_elsewhere_has_the_same(checkpoint: Path, tmp_path: Path) -> None:
    before = fingerprint(checkpoint)
    checkpoint.rename(tmp_path / "moved")
    assert fingerprint(tmp_path / "moved") == before


def test_it_is_remembered(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(checkpoint)

    def never(*_: object) -> str:
        raise AssertionError("hashed again")

    monkeypatch.setattr(module, "_hash", never)
    assert fingerprint(checkpoint) == before
    os.utime(checkpoint / "config.json", ns=(1, 1))
    with pytest.raises(AssertionError, match="hashed again"):
        fingerprint(checkpoint)


def test_large_files_by_blocks(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE", 1000)
    monkeypatch.setattr(module, "BLOCK", 64)
    before = fingerprint(checkpoint)
    weights = checkpoint / "unet" / "weights.bin"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert fingerprint(checkpoint) != before


def test_nothing_has_none(tmp_path: Path) -> None:
    assert fingerprint(None) is None
    assert fingerprint(tmp_path / "gone") is None
    assert fingerprint(tmp_path) is None or list(tmp_path.iterdir())


def test_a_damaged_memory_only_costs_time(checkpoint: Path) -> None:
    before = fingerprint(checkpoint)
    file = module._cache_file()  # pyright: ignore[reportPrivateUsage]
    file.write_text("[not json")
    assert fingerprint(checkpoint) == before


def test_the_embedded_model_has_one() -> None:
    assert fingerprint(profile_of("pocket").folder) is not None
