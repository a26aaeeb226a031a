"""The change carried to full size."""

from __future__ import annotations

import numpy as np
from PIL import Image

from partway.full_size import MOST, carry, following
from partway.noise import Noise


def textured(side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    y, x = np.mgrid[0:side, 0:side]
    luma = 120 + 60 * np.sin(x / 9.0) + 20 * ((x // 2 + y // 2) % 2)
    return np.repeat(luma[..., None], 3, axis=2).astype(np.uint8)


def reduced(source: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], side: int) -> np.ndarray:  # type: ignore[type-arg]
    image = Image.fromarray(source).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32)


def test_nothing_changed_gives_the_source_back() -> None:
    source = textured(256)
    small = reduced(source, 64)
    assert np.abs(carry(small, small, source, 1.0) - source).max() < 1.0


def test_source_detail_fades_with_the_share_and_is_gone_at_zero() -> None:
    source = textured(256)
    small = reduced(source, 64)
    full = [carry(small, small, source, share) for share in (1.0, 0.5, 0.0)]
    detail = [float(np.abs(np.diff(each[..., 0], axis=0)).mean()) for each in full]
    assert detail[0] > 1.8 * detail[1] > 1.8 * detail[2]


def test_detail_of_what_is_gone_does_not_come_back() -> None:
    source = textured(256)
    small = reduced(source, 64)
    other = np.broadcast_to(128 + 60 * Noise(1, (64, 64, 1))(), small.shape).clip(0, 255)
    back = carry(other.astype(np.float32), small, source, 1.0)
    without = carry(other.astype(np.float32), small, source, 0.0)
    same = carry(small, small, source, 1.0) - carry(small, small, source, 0.0)
    assert np.abs(back - without).mean() < 0.5 * np.abs(same).mean()


def test_the_slope_is_limited_and_flat_follows_flat() -> None:
    flat = np.full((20, 20), 90.0, np.float32)
    assert np.allclose(following(flat, flat), 1.0)
    ramp = np.tile(np.arange(20, dtype=np.float32) * 5, (20, 1))
    assert following(ramp * 3, ramp).max() <= MOST + 1e-5
    assert following(255 - ramp, ramp).max() <= 1e-5


def test_a_share_of_its_own_for_each_place() -> None:
    source = textured(256)
    small = reduced(source, 64)
    shares = np.repeat([1.0, 0.25], 32).astype(np.float32) * np.ones((64, 1), np.float32)
    full = carry(small, small, source, shares)
    for share, part in ((1.0, np.s_[:, :120]), (0.25, np.s_[:, 136:])):
        assert np.abs(full[part] - carry(small, small, source, share)[part]).max() < 0.01
