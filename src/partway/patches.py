"""Pictures as overlapping patches: taking apart, putting together, and the nearest of a reference.

A patch is split into a *plain* part, a few low cosine components per channel (mean, slope, bend),
and its *texture*, the rest:

    patch (3 P²)  =  plain (3 m) @ cosines  +  texture (3 P²)

so that a reference's texture can be laid over colours and slopes that are the source's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from partway.noise import Noise

if TYPE_CHECKING:
    from partway.denoiser import Array

WINDOW = 0.22  # deviation of the Gaussian that patches are blended with, of their side
COMPONENTS = 32  # principal components of the texture that patches are compared in
SAMPLE = 700  # patches the components are fitted on
ITERATIONS = 2
# Pairs of its multiples, modulo 1, are spread over the square as evenly as any (Roberts 2018).
PLASTIC = (0.7548776662466927, 0.5698402909980532)
CHUNK = 1024  # queries compared at a time: bounds memory at CHUNK × keys float32
Places = NDArray[np.intp]


def cosines(side: int, count: int) -> Array:
    """(m, side²) orthonormal cosine components with a + b < count; the first is constant."""
    at = (np.arange(side) + 0.5) * np.pi / side
    rows = [np.cos(at * k) * np.sqrt((1.0 if k == 0 else 2.0) / side) for k in range(count)]
    pairs = [(a, b) for a in range(count) for b in range(count) if a + b < count]
    return np.stack([np.outer(rows[a], rows[b]).ravel() for a, b in pairs]).astype(np.float32)


def scatter(shape: tuple[int, ...], side: int, stride: int, turn: int) -> tuple[Places, Places]:
    """Where patches lie on a picture (…, h, w): their rows and their columns, (n,) each.

    About every `stride` along both axes, so that with stride <= side / 2 every pixel is covered,
    but never in lines: on even ground evenly spaced patches would weave a pattern of that period.
    Each `turn` gives other places.
    """
    starts = [1 - stride - (turn * each) % stride for each in (1, 7)]
    lasts = [length - side for length in shape[-2:]]
    even = [np.arange(a, b + stride, stride) for a, b in zip(starts, lasts, strict=True)]
    ys, xs = (each.ravel() for each in np.meshgrid(*even, indexing="ij"))
    count = turn + np.arange(len(ys))
    further = [(count * share % 1.0 * stride).astype(np.intp) for share in PLASTIC]
    return np.clip(ys + further[0], 0, lasts[0]), np.clip(xs + further[1], 0, lasts[1])


def unfold(x: Array, ys: Places, xs: Places, side: int) -> Array:
    """Patches (n, 3 * side²) of a picture (3, h, w) at n places."""
    view = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))
    return np.ascontiguousarray(view[:, ys, xs].transpose(1, 0, 2, 3)).reshape(len(ys), -1)


def fold(patches: Array, ys: Places, xs: Places, side: int, shape: tuple[int, ...]) -> Array:
    """The picture (3, h, w) of overlapping patches, blended with a Gaussian window."""
    at = (np.arange(side) - (side - 1) / 2) / side
    bell = np.exp(-np.square(at) / (2 * WINDOW**2)).astype(np.float32)
    window = np.outer(bell, bell)
    inside = np.add.outer(np.arange(side) * shape[2], np.arange(side))
    pixels = ((ys * shape[2] + xs)[:, None] + inside.ravel()).ravel()
    size = shape[1] * shape[2]
    planes = patches.reshape(len(ys), 3, side**2) * window.ravel()
    total = [np.bincount(pixels, planes[:, channel].ravel(), size) for channel in range(3)]
    weight = np.bincount(pixels, np.tile(window.ravel(), len(ys)), size)
    return (np.stack(total) / weight).reshape(shape).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Keys:
    """Patches of reference pictures, ready to be compared with.

    side      P, pixels
    cosines   (m, P²)
    texture   (N, 3 P²)
    plain     (N, 3 m)
    basis     (3 P², K) principal components of the texture
    features  (N, K) the texture in them
    """

    side: int
    cosines: Array
    texture: Array
    plain: Array
    basis: Array
    features: Array

    def split(self, patches: Array) -> tuple[Array, Array]:
        """Texture (n, 3 P²) and plain part (n, 3 m) of patches."""
        channels = patches.reshape(-1, self.cosines.shape[1])  # 2-D: one product, not one per patch
        plain = channels @ self.cosines.T
        texture = channels - plain @ self.cosines
        return texture.reshape(len(patches), -1), plain.reshape(len(patches), -1)

    def join(self, texture: Array, plain: Array) -> Array:
        """Patches (n, 3 P²) of texture and plain part."""
        flat = plain.reshape(-1, len(self.cosines)) @ self.cosines
        return texture + flat.reshape(texture.shape)

    def nearest(
        self, texture: Array, plain: Array, weight: Array, scale: float
    ) -> NDArray[np.intp]:
        """For each query the key k with the least |query - scale * key_k|².

        texture  (n, 3 P²), compared in the principal components
        plain    (n, 3 m), each difference times `weight` (3 m,) first
        """
        queries = np.concatenate([texture @ self.basis, plain * weight], axis=1)
        keys = np.concatenate([self.features, self.plain * weight], axis=1) * np.float32(scale)
        half = 0.5 * np.square(keys).sum(axis=1)
        keys = np.ascontiguousarray(keys.T)
        found = np.empty(len(queries), np.intp)
        for i in range(0, len(queries), CHUNK):
            score = queries[i : i + CHUNK] @ keys
            score -= half
            found[i : i + CHUNK] = score.argmax(axis=1)
        return found


def keys_of(pictures: list[Array], side: int, count: int, cosine_count: int) -> Keys:
    """At most `count` keys of side `side`, drawn evenly from pictures (3, h, w); always the same.

    Pictures smaller than a patch are continued by reflection.
    """
    share = max(count // len(pictures), 1)
    drawn: list[Array] = []
    for number, picture in enumerate(pictures):
        short = [(0, 0), *((0, max(side - length, 0)) for length in picture.shape[1:])]
        padded = np.pad(picture, short, mode="symmetric")
        view = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        height, width = view.shape[1:3]
        order = np.argsort(Noise(number, (height * width,))(), kind="stable")[:share]
        patches = view[:, order // width, order % width].transpose(1, 0, 2, 3)
        drawn.append(np.ascontiguousarray(patches).reshape(len(order), -1))
    patches = np.concatenate(drawn)
    empty = np.zeros((0, 0), np.float32)
    bare = Keys(side, cosines(side, cosine_count), empty, empty, empty, empty)
    texture, plain = bare.split(patches)
    basis = _components(texture)
    return Keys(side, bare.cosines, texture, plain, basis, texture @ basis)


def _components(texture: Array) -> Array:
    """Orthonormal basis (3 P², K) of about the strongest components of textures, not centred.

    Randomised subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4) on a sample. The
    small Gram matrix orthogonalises: a tall QR takes longer than all the rest on busy cores. Where
    textures have fewer components, the rest of the basis is about zero.
    """
    sample = texture[:: max(len(texture) // SAMPLE, 1)][:SAMPLE]
    basis = Noise(0, (sample.shape[1], min(COMPONENTS, *sample.shape)))()
    for _ in range(ITERATIONS):
        basis = sample.T @ (sample @ basis)
        basis /= max(float(np.abs(basis).max()), 1e-20)
        values, vectors = np.linalg.eigh((basis.T @ basis).astype(np.float64))
        scale = np.sqrt(np.maximum(values, 1e-8 * max(float(values[-1]), 1e-20)))
        basis = (basis @ (vectors / scale)).astype(np.float32)
    return np.ascontiguousarray(basis, dtype=np.float32)
