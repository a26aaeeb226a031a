"""What the style pictures are painted with: fields, scenes, strokes and light.

Arrays are (H, W) or (H, W, 3) float in 0 … 1, gamma-coded sRGB. Every function draws from the
generator it is given, so that a seed fixes the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

Plane = NDArray[np.float64]
Generator = np.random.Generator
Color = tuple[float, float, float]


def hexes(text: str) -> NDArray[np.float64]:
    """Colours from "e8d9b0 7a4a2b": (K, 3)."""
    return np.array([[int(h[i : i + 2], 16) / 255 for i in (0, 2, 4)] for h in text.split()])


def field(rng: Generator, size: int, scale: float) -> Plane:
    """Smooth noise of wavelength about `scale` pixels, mean 0, deviation 1."""
    f = np.fft.rfftfreq(size)[None, :] ** 2 + np.fft.fftfreq(size)[:, None] ** 2
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    plane = np.fft.irfft2(spectrum * np.exp(-2 * (np.pi * scale) ** 2 * f), (size, size))
    return (plane - plane.mean()) / plane.std()


def fractal(rng: Generator, size: int, coarse: float, octaves: int = 4) -> Plane:
    """Octaves of smooth noise, each half as coarse and half as strong; deviation 1."""
    total = sum(field(rng, size, coarse / 2**i) / 2**i for i in range(octaves))
    plane = np.asarray(total)
    return plane / plane.std()


def scene(rng: Generator, size: int, palette: NDArray[np.float64], shapes: int = 26) -> Plane:
    """Overlapping hills, discs and slabs in a palette: every tone, edges of every direction."""
    y, x = np.mgrid[0:size, 0:size] / size
    order = np.argsort(palette.sum(axis=1))[::-1]
    dark = np.linspace(0, 1, len(order))
    at = np.clip(y * 0.9 + 0.10 * fractal(rng, size, size / 5), 0, 1)
    image = np.stack([np.interp(at, dark, palette[order, c]) for c in range(3)], axis=-1)
    for i in range(shapes):
        cx, cy, r = rng.uniform(0, 1), rng.uniform(0.05, 1), rng.uniform(0.05, 0.22)
        kind = (0, 1, 2, 0, 2)[i % 5]
        if kind == 0:
            inside = np.hypot(x - cx, y - cy) - r * (1 + 0.08 * fractal(rng, size, size / 8))
        elif kind == 1:
            ridge = cy + 0.25 * r * fractal(rng, size, size / 7)
            inside = np.maximum(ridge - y, y - ridge - r)
        else:
            angle = rng.uniform(0, np.pi)
            u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
            v = -(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle)
            inside = np.maximum(np.abs(u) - 1.6 * r, np.abs(v) - 0.5 * r)
        mask = np.clip(0.5 - inside * size / 2, 0, 1)[..., None]
        a, b = palette[rng.integers(len(palette), size=2)]
        share = np.clip((y - cy) / (2 * r) + 0.5 + 0.2 * field(rng, size, 40), 0, 1)[..., None]
        image = image * (1 - mask) + mask * (a * (1 - 0.5 * share) + b * 0.5 * share)
    return np.clip(image, 0, 1)


def flow(image: Plane, blur: float) -> Plane:
    """Direction along which a picture changes least, radians: strokes follow it."""
    luma = gaussian_filter(image.mean(axis=-1), 1.0)
    gy, gx = np.gradient(luma)
    xx, yy, xy = (gaussian_filter(p, blur) for p in (gx * gx, gy * gy, gx * gy))
    return 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2


def paint(
    rng: Generator,
    canvas: Plane,
    target: Plane,
    length: float,
    width: float,
    count: int,
    *,
    jitter: float = 0.04,
    opacity: float = 0.95,
    swirl: float = 0.25,
    bristles: float = 0.12,
    pressure: Plane | None = None,
) -> None:
    """Lay strokes on a canvas in place, coloured by the target, along its flow.

    pressure  (H, W) 0 … 1: chance that a stroke is made there; None is everywhere
    """
    size = target.shape[0]
    angles = flow(target, 6) + swirl * fractal(rng, size, size / 6)
    reach = int(np.ceil(length / 2 + width))
    window = np.arange(-reach, reach + 1)
    for _ in range(count):
        cy, cx = rng.integers(0, size, 2)
        if pressure is not None and rng.uniform() > pressure[cy, cx]:
            continue
        rows, cols = cy + window, cx + window
        rows, cols = rows[(rows >= 0) & (rows < size)], cols[(cols >= 0) & (cols < size)]
        dy, dx = np.meshgrid(rows - cy, cols - cx, indexing="ij")
        angle = angles[cy, cx] + rng.normal(0, 0.12)
        bend = rng.normal(0, 0.35) / length
        u = dx * np.cos(angle) + dy * np.sin(angle)
        v = -dx * np.sin(angle) + dy * np.cos(angle) + bend * u * u
        w, half = width * rng.uniform(0.7, 1.2), length * rng.uniform(0.6, 1.0) / 2
        hair = gaussian_filter1d(rng.standard_normal(64), 0.9, mode="wrap") * 2
        across = np.interp(v / w * 20 + 32, np.arange(64), hair)
        inside = np.clip((w / 2 - np.abs(v)) * 1.2, 0, 1)
        ends = np.clip((half - np.abs(u) + 2.5 * across) / 2.0, 0, 1)
        alpha = (opacity * inside * ends * np.clip(1.15 + 0.5 * across, 0.2, 1))[..., None]
        color = target[cy, cx] + rng.normal(0, jitter) + rng.normal(0, jitter / 2, 3)
        ridge = bristles * across[..., None] + 0.06 * np.clip(-v / w, -1, 1)[..., None]
        block = canvas[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        block[:] = block * (1 - alpha) + alpha * np.clip(color + ridge, 0, 1)


def relief(image: Plane, height: Plane, strength: float) -> Plane:
    """Light from the upper left on a surface of this height."""
    gy, gx = np.gradient(height)
    return np.clip(image * (1 + strength * (gx + gy))[..., None], 0, 1)


def warp(image: Plane, dx: Plane, dy: Plane) -> Plane:
    """Sample a picture at displaced positions."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(float)
    planes = [
        map_coordinates(image[..., c], [y + dy, x + dx], order=1, mode="reflect")
        for c in range(image.shape[-1])
    ]
    return np.stack(planes, axis=-1)


def mixed(a: Sequence[float] | Plane, b: Sequence[float] | Plane, share: Plane) -> Plane:
    """Between two colours (or pictures) by a share in 0 … 1."""
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(a) * (1 - share) + np.asarray(b) * share
