"""What only the onnx family does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partway.denoiser import Array
from partway.families import load_family, profile_of
from partway.noise import Noise


def answer() -> Array:
    family = load_family(profile_of("pocket"))
    shape = family.latent_shape(128, 128)
    x = Noise(1, shape)()[None]
    return family.predict(x, [family.schedule.level(0.7)], [family.encode_prompt("owl, 3d")])


def test_compiled_networks_are_cached_and_give_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = answer()
    blobs = list(tmp_path.rglob("*.blob"))
    assert len(blobs) == 1
    assert np.array_equal(first, answer())
    assert list(tmp_path.rglob("*.blob")) == blobs

    whole = blobs[0].read_bytes()
    blobs[0].chmod(0o600)
    blobs[0].write_bytes(whole[: len(whole) // 2])
    assert np.array_equal(first, answer())


def test_a_cache_that_cannot_be_written_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert np.isfinite(answer()).all()
