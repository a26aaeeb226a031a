"""A closed-form denoiser whose training set is one or more pictures: no weights.

The ideal denoiser of a data set answers a noisy patch with the data's patches, weighted by how
well each explains it (Kamb & Ganguli 2024; Niedoba et al. 2024); with the patches of a single
picture as data it restyles and invents in that picture's manner (Qiu, Kutulakos & Lindell 2026).
Here every patch of the data stands for a whole family of patches: its texture is fixed, while its
plain part (mean, slope, bend: partway.patches) may move by a Gaussian of a given freedom,

    p = texture_k + plain_k + u,    u ~ N(0, freedom²),    x = alpha * p + sigma * eps

    k       = the best explanation of x, plain differences counting sigma² / v
    E[u|x]  = alpha * freedom² / v * (plain(x) - alpha * plain_k),    v = sigma² + alpha² freedom²

With no freedom a photograph is rebuilt from the reference's own colours; with freedom its hues and
shades stay and only texture is taken. Patches are large where noise is strong and small where it
is weak, as the receptive field of trained networks is. One best key instead of a weighted mean:
means are blurred, and overlapping patches are averaged anyway.

A condition may carry the picture to start from. Where the best patch of the reference lies further
from it than a tolerance, that place keeps its own patch: eyes and letters that a reference has
nothing like stay readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from partway.color import to_opponent, to_rgb
from partway.denoiser import Array
from partway.errors import InvalidRequest
from partway.families import Profile
from partway.patches import Keys, fold, keys_of, scatter, unfold
from partway.schedule import Level, Schedule

KEYS = 3072
# From which noise level: side of patches, cosine components per axis of their plain part.
SIZES = ((0.45, 25, 3), (0.27, 17, 3), (0.13, 13, 2), (0.0, 9, 1))
OVERLAP = 3  # patches across each pixel, per axis
SLOPES = 1.5  # times the freedom of the mean is that of the higher cosine components
LEAST_NOISE = 0.03  # below it, patches are compared as at it
HARDNESS = 3.0  # of the choice between own and reference patch around the tolerance

PROFILE = Profile(
    name="exemplar",
    family="exemplar",
    folder=None,
    schedule=Schedule(path="flow"),
    prediction="sample",
    native_size=384,
    stride=1,
    default_steps=12,
    gain=0.55,
    conditioning="references",
)


@dataclass(frozen=True, eq=False)
class Manner:
    """A condition: what patches may look like.

    pictures   (3, h, w) opponent, each at the scale of the picture to be made
    freedom    (luma, colour) deviation of the plain part
    own        the picture (3, h, w) to start from, or None
    tolerance  root mean square by which a patch may differ from its own before that is kept; one
               for all, or above 0 and (1, h, w)
    keys       patches by side, made when first asked for
    """

    pictures: tuple[Array, ...]
    freedom: tuple[float, float] = (0.0, 0.0)
    own: Array | None = None
    tolerance: float | Array = 0.0
    keys: dict[int, Keys] = field(default_factory=dict[int, Keys], repr=False)

    def keys_at(self, side: int, cosine_count: int) -> Keys:
        """Keys of a patch size."""
        if side not in self.keys:
            self.keys[side] = keys_of(list(self.pictures), side, KEYS, cosine_count)
        return self.keys[side]

    def beside(
        self, own: Array | None, tolerance: float | Array, freedom: tuple[float, float]
    ) -> Manner:
        """The same patches for another picture to start from; keys are shared."""
        return replace(self, own=own, tolerance=tolerance, freedom=freedom)


def patch_size(level: Level, shape: tuple[int, ...]) -> tuple[int, int]:
    """Side of the patches at a level, and cosine components per axis, on a canvas (3, h, w)."""
    side, count = next((s, c) for least, s, c in SIZES if level.noise_fraction >= least)
    longest = max(min(min(shape[1:]) // 3, side) // 2 * 2 - 1, 3)
    return (side, count) if side <= longest else (min(longest, side), min(count, 2))


def clean_estimate(x: Array, level: Level, manner: Manner) -> Array:
    """The denoiser: x0 (3, h, w) of x at a level."""
    side, count = patch_size(level, x.shape)
    side = min(side, *x.shape[1:])
    keys = manner.keys_at(side, count)
    stride = max(side // OVERLAP, 1)
    # Patches lie elsewhere at every level, so that their seams do not build up.
    ys, xs = scatter(x.shape, side, stride, int(level.sigma * 1009))

    variance = max(level.sigma, LEAST_NOISE) ** 2
    freedom = _freedom(manner.freedom, keys) ** 2
    total = variance + level.alpha**2 * freedom
    texture, plain = keys.split(unfold(x, ys, xs, side))
    found = keys.nearest(texture, plain, np.sqrt(variance / total), level.alpha)
    best = keys.plain[found]
    moved = best + level.alpha * freedom / total * (plain - level.alpha * best)
    patches = keys.join(keys.texture[found], moved)
    if manner.own is not None:
        own = unfold(manner.own, ys, xs, side)
        apart = np.square(patches - own).mean(axis=1)
        tolerance = manner.tolerance
        if isinstance(tolerance, np.ndarray):
            tolerance = tolerance[0, ys + side // 2, xs + side // 2]
        patches += _own_share(apart, tolerance)[:, None] * (own - patches)
    return fold(patches, ys, xs, side, x.shape)


def _freedom(freedom: tuple[float, float], keys: Keys) -> Array:
    """(3 m,) deviations of the plain part's coefficients; a coefficient is `side` times a mean."""
    luma, color = freedom
    each = np.full((3, len(keys.cosines)), color, np.float32)
    each[0] = luma
    each[:, 1:] *= SLOPES
    return (each * keys.side).ravel()


def _own_share(apart: Array, tolerance: float | Array) -> Array:
    """0 … 1 by mean square distance: 1/2 at the tolerance, near 1 above, near 0 below."""
    if not isinstance(tolerance, np.ndarray) and tolerance <= 0.0:
        return np.ones_like(apart)
    ratio = apart / tolerance**2
    return ratio**HARDNESS / (1.0 + ratio**HARDNESS)


def encode_references(pictures: Sequence[Array]) -> Manner:
    """The condition of pictures (3, H, W) in [-1, 1], each at the scale it is to be used at."""
    return Manner(tuple(to_opponent(picture) for picture in pictures))


class Exemplar:
    """The family; latents are pixels in opponent colours."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.precision = "fp32"
        self.schedule = profile.schedule
        self.prediction = profile.prediction

    def encode_prompt(self, prompt: str) -> Manner:
        """Refuse words: only "" has a condition, plain grey."""
        if prompt.strip():
            raise InvalidRequest(
                "exemplar reads pictures, no words: it cannot follow a prompt. "
                "Leave the prompt out, or name a model that draws from words with -m"
            )
        return Manner((np.zeros((3, 32, 32), np.float32),))

    def encode(self, image: Array) -> Array:
        """Rotate the colours."""
        return to_opponent(image)

    def decode(self, latents: Array) -> Array:
        """Rotate them back."""
        return to_rgb(latents)

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Manner]) -> Array:
        """Clean estimates, row by row: a row's answer never depends on its neighbours."""
        rows = zip(x, levels, conditions, strict=True)
        return np.stack([clean_estimate(row, level, manner) for row, level, manner in rows])

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(3, H, W)."""
        return (3, height, width)


def profile(name: str, folder: Path | None) -> Profile:
    """The one profile there is."""
    del name, folder
    return PROFILE


def load(profile: Profile, precision: str) -> Exemplar:
    """Nothing to load; always fp32."""
    del precision
    return Exemplar(profile)
