"""Any size: returned exactly, edges included, and nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from partway import edit
from partway.engine import Engine
from partway.images import read_bytes
from partway.request import EditRequest
from partway.styles import STYLES, style_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = [(1, 1), (1, 2), (2, 1), (3, 7), (97, 101), (127, 129), (1, 500), (500, 1), (2, 1499),
         (1021, 17), (16_384, 1), (1, 16_384)]  # fmt: skip


def drawing(width: int, height: int) -> Image.Image:
    """Shapes of several scales, so that a shift by one pixel shows."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rgb = np.full((height, width, 3), 255.0, np.float32)
    for i, (u, v, r) in enumerate([(0.3, 0.4, 0.2), (0.65, 0.6, 0.25), (0.75, 0.2, 0.1)]):
        disc = (x - u * width) ** 2 + (y - v * height) ** 2 < (r * min(width, height)) ** 2
        rgb[disc] = (40 + 70 * i, 180 - 60 * i, 90 + 50 * i)
    rgb[height * 3 // 4 :, : width // 5] = (20, 60, 160)
    return Image.fromarray(rgb.astype(np.uint8))


def shift_between(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> tuple[int, int]:
    """(down, right) by which b is moved against a: the peak of their phase correlation."""
    window = np.outer(np.hanning(a.shape[0]), np.hanning(a.shape[1]))
    first, second = (np.fft.fft2((each.mean(axis=-1) - each.mean()) * window) for each in (a, b))
    cross = second * first.conj()
    peak = np.abs(np.fft.ifft2(cross / np.maximum(np.abs(cross), 1e-9)))
    down, right = np.unravel_index(int(peak.argmax()), peak.shape)
    height, width = a.shape[:2]
    return (int(down) + height // 2) % height - height // 2, (
        int(right) + width // 2
    ) % width - width // 2


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_sizes_are_exact(size: tuple[int, int], strength: float) -> None:
    source = drawing(*size)
    result = edit(source, "red", strength=strength, model="analytic", steps=1).image
    assert result.size == size
    if strength == 0.0:
        assert np.array_equal(np.asarray(result), np.asarray(source))


def test_the_measure_sees_a_shift() -> None:
    source = np.asarray(drawing(160, 120))
    moved = np.roll(source, (1, -2), axis=(0, 1))
    assert shift_between(source, moved) == (1, -2)


@pytest.mark.parametrize("size", [(128, 128), (97, 131), (150, 61), (300, 200)])
def test_pocket_moves_nothing(size: tuple[int, int]) -> None:
    source = drawing(*size)
    result = edit(source, "blue circle, 3d", strength=0.05, model="pocket", full_steps=20)
    assert result.evaluations >= 1
    pixels = np.asarray(result.image)
    assert shift_between(np.asarray(source), pixels) == (0, 0)
    border = [np.abs(pixels.astype(float) - np.asarray(source))[edge].mean()
              for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1])]  # fmt: skip
    assert max(border) < 12.0


@pytest.mark.parametrize("size", [(128, 96), (101, 67)])
def test_exemplar_moves_nothing(size: tuple[int, int]) -> None:
    source = drawing(*size)
    request = EditRequest(
        source=read_bytes(source),
        strength=0.05,
        references=(style_file(next(iter(STYLES))).read_bytes(),),
    )
    result = Engine().run(request)
    assert result.evaluations >= 1
    assert shift_between(np.asarray(source), np.asarray(result.image)) == (0, 0)
