"""The exact denoiser of a Gaussian mixture over colours: no weights, no network, only truth.

Every pixel is drawn from the same mixture, x0 ~ sum_k w_k N(mu_k, s²) in RGB. Its posterior mean

    E[x0 | x] = sum_k p_k(x) * (mu_k + alpha * s² / v * (x - alpha * mu_k)),  v = alpha² s² + sigma²
    p_k(x) proportional to w_k exp(-|x - alpha * mu_k|² / (2 v))

is what a perfectly trained network would answer, at every level including pure noise. A prompt
names the colours ("red, navy, white"); the empty prompt is black, white and the primaries. Samplers
are checked against it, and documents and servers can run on it anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import ImageColor

from partway.denoiser import Array
from partway.families import Profile
from partway.schedule import Level, Schedule

SPREAD = 0.08  # s: standard deviation of each colour, in [-1, 1] units
UNCONDITIONAL = ("black", "white", "red", "lime", "blue", "yellow", "cyan", "magenta", "gray")
PROFILE = Profile(
    name="analytic",
    family="analytic",
    folder=None,
    schedule=Schedule(path="flow"),
    prediction="sample",
    native_size=64,
    stride=1,
    default_steps=20,
    default_guidance=1.0,
)


def posterior_mean(x: Array, level: Level, means: Array, spread: float) -> Array:
    """E[x0 | x] for an equally weighted mixture.

    x      (C, h, w) at `level`
    means  (K, C)
    """
    variance = level.alpha**2 * spread**2 + level.sigma**2
    offsets = x[None] - level.alpha * means[:, :, None, None]  # (K, C, h, w)
    logits = -np.square(offsets).sum(axis=1) / (2.0 * variance)
    weights = np.exp(logits - logits.max(axis=0))
    weights = (weights / weights.sum(axis=0))[:, None]
    shrink = level.alpha * spread**2 / variance
    return (weights * (means[:, :, None, None] + shrink * offsets)).sum(axis=0).astype(x.dtype)


class Analytic:
    """The family; latents are the pixels themselves."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.precision = "fp32"
        self.schedule = profile.schedule
        self.prediction = profile.prediction

    def encode_prompt(self, prompt: str) -> Array:
        """(K, 3) means in [-1, 1] of the colours a prompt names; unknown words are skipped."""
        words = [word for part in prompt.lower().split(",") for word in (part.strip(),) if word]
        words += [word for word in prompt.lower().replace(",", " ").split() if word not in words]
        known = [word for word in words if word in ImageColor.colormap or word.startswith("#")]
        colors: list[tuple[int, ...]] = []
        for word in known or UNCONDITIONAL:
            try:
                colors.append(ImageColor.getrgb(word)[:3])
            except ValueError:
                continue  # "#" followed by something that is no colour
        if not colors:
            return self.encode_prompt("")
        return np.asarray(colors, dtype=np.float32) / 127.5 - 1.0

    def encode(self, image: Array) -> Array:
        """Latents are pixels."""
        return image

    def decode(self, latents: Array) -> Array:
        """Pixels are latents."""
        return latents

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Array]) -> Array:
        """Posterior means, row by row: a row's answer never depends on its neighbours."""
        rows = zip(x, levels, conditions, strict=True)
        return np.stack([posterior_mean(row, level, means, SPREAD) for row, level, means in rows])

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(3, H, W)."""
        return (3, height, width)


def profile(name: str, folder: Path | None) -> Profile:
    """The one profile there is."""
    del name, folder
    return PROFILE


def load(profile: Profile, precision: str) -> Analytic:
    """Nothing to load; always fp32."""
    del precision
    return Analytic(profile)
