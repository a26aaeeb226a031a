"""Noise: drawn per picture from its own seed, on the CPU, from a frozen generator.

NumPy's RandomState is guaranteed never to change its stream, so a seed means the same picture in
every release, on every device, in every batch and beside any neighbour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from partway.errors import InvalidRequest

if TYPE_CHECKING:
    from partway.denoiser import Array

MAX_SEED = 2**32 - 1


def check_seed(seed: int) -> int:
    """Return `seed` if it is in 0 … 2³² - 1; InvalidRequest otherwise."""
    if not 0 <= seed <= MAX_SEED:
        raise InvalidRequest(f"seed is {seed}, allowed is 0 … {MAX_SEED}; try --seed 1")
    return seed


class Noise:
    """Unit Gaussian draws of one shape; the first is the starting noise of an edit."""

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self._generator = np.random.RandomState(check_seed(seed))
        self._shape = shape

    def __call__(self) -> Array:
        """Draw the next array; plane by plane, since draws have 8 bytes until they are kept."""
        drawn = np.empty(self._shape, np.float32)
        for index in np.ndindex(self._shape[:-2]):
            drawn[index] = self._generator.standard_normal(self._shape[-2:])
        return drawn
