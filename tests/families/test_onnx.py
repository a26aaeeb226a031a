"""What only the onnx family does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from partway.denoiser import Array
from partway.families import load_family, profile_of
from partway.noise import Noise


def answer(precision: str = "auto") -> Array:
    family = load_family(profile_of("pocket"), precision)
    shape = family.latent_shape(128, 128)
    x = Noise(1, shape)()[None]
    return family.predict(x, [family.schedule.level(0.7)], [family.encode_prompt("owl, 3d")])


def test_compiled_networks_are_cached_and_give_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = answer()
    blobs = sorted(tmp_path.rglob("*.blob"))
    assert len(blobs) == 2  # text encoder and denoiser
    assert np.array_equal(first, answer())
    assert sorted(tmp_path.rglob("*.blob")) == blobs

    for blob in blobs:
        whole = blob.read_bytes()
        blob.chmod(0o600)
        blob.write_bytes(whole[: len(whole) // 2])
    assert np.array_equal(first, answer())


def test_a_network_kept_for_one_precision_is_not_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = {precision: answer(precision) for precision in ("fp32", "bf16")}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for precision in ("fp32", "bf16", "fp32", "bf16"):
        assert np.array_equal(answer(precision), fresh[precision])


def test_a_cache_that_cannot_be_written_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert np.isfinite(answer()).all()


INTERRUPTED = """
import gc, os, signal
from partway.families import load_family, profile_of
signal.signal(signal.SIGINT, lambda *_: print("heard", flush=True))
loaded = [load_family(profile_of("pocket"), each) for each in ("fp32", "bf16")]
while loaded:
    loaded.pop(0)  # the oldest goes first
    gc.collect()
    os.kill(os.getpid(), signal.SIGINT)
"""


def test_ctrl_c_is_heard_after_networks_are_gone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout) == (0, "heard\nheard\n"), done.stderr
