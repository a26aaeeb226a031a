"""The closed-form denoiser: what it must answer where the answer is known."""

from __future__ import annotations

import numpy as np

from partway.denoiser import Array
from partway.families.exemplar import Manner, clean_estimate, encode_references, patch_size
from partway.noise import Noise
from partway.schedule import Schedule

FLOW = Schedule(path="flow")


def stripes(period: int = 6, size: int = 64) -> Array:
    """(3, size, size) grey stripes in [-1, 1]."""
    x = np.sign(np.sin(2 * np.pi * (np.arange(size) + 0.25) / period)).astype(np.float32)
    return np.broadcast_to(0.6 * x, (3, size, size)).copy()


def test_a_noisy_reference_is_cleaned_back_to_itself() -> None:
    manner = encode_references([stripes()])
    clean = manner.pictures[0]
    level = FLOW.level(0.3)
    x = level.alpha * clean + level.sigma * Noise(1, clean.shape)()
    estimate = clean_estimate(x, level, manner)
    before = np.abs(x / level.alpha - clean).mean()
    assert np.abs(estimate - clean).mean() < 0.2 * before


def test_pure_noise_becomes_the_reference_s_texture() -> None:
    """Stripes come out of noise: neighbours across differ, neighbours along agree."""
    manner = encode_references([stripes()])
    x = Noise(2, (3, 48, 48))()
    for fraction in (1.0, 0.6, 0.3, 0.1):
        x = clean_estimate(x, FLOW.level(fraction), manner)
    across, along = np.abs(np.diff(x[0], axis=1)).mean(), np.abs(np.diff(x[0], axis=0)).mean()
    assert across > 5 * along


def test_freedom_lets_the_source_keep_its_colour() -> None:
    grey = encode_references([np.zeros((3, 32, 32), np.float32)])
    level = FLOW.level(0.2)
    shown = np.full((3, 32, 32), 0.5, np.float32)
    bound = clean_estimate(level.alpha * shown, level, grey.beside(None, 0.0, (0.0, 0.0)))
    free = clean_estimate(level.alpha * shown, level, grey.beside(None, 0.0, (2.0, 2.0)))
    assert np.abs(bound).max() < 1e-5
    assert np.abs(free - shown).max() < 0.05


def test_a_tolerance_of_zero_keeps_the_own_picture_and_a_large_one_lets_go() -> None:
    manner = encode_references([stripes()])
    own = np.tanh(Noise(3, (3, 40, 40))())
    level = FLOW.level(0.5)
    x = level.alpha * own + level.sigma * Noise(4, own.shape)()
    kept = clean_estimate(x, level, manner.beside(own, 0.0, (0.1, 0.1)))
    assert np.abs(kept - own).max() < 1e-5
    apart = [
        float(np.abs(clean_estimate(x, level, manner.beside(own, t, (0.1, 0.1))) - own).mean())
        for t in (0.05, 0.3, 1.0, 10.0)
    ]
    assert apart == sorted(apart)
    alone = clean_estimate(x, level, manner.beside(None, 0.0, (0.1, 0.1)))
    far = clean_estimate(x, level, manner.beside(own, 1e3, (0.1, 0.1)))
    assert np.abs(alone - far).max() < 1e-4


def test_patches_grow_with_the_noise_and_fit_any_canvas() -> None:
    sides = [patch_size(FLOW.level(f), (3, 512, 512))[0] for f in (0.05, 0.2, 0.3, 0.9)]
    assert sides == sorted(set(sides))
    manner = Manner((np.zeros((3, 5, 4), np.float32),))
    for shape in ((3, 8, 96), (3, 3, 3), (3, 9, 10)):
        for fraction in (0.05, 0.9):
            assert clean_estimate(Noise(1, shape)(), FLOW.level(fraction), manner).shape == shape
