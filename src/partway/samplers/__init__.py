"""Samplers: coroutines that walk levels downwards.

    def sampler(x, levels, noise):
        for here, there in pairwise(levels):
            x0 = yield Query(x, here, there)      # sent back: the clean estimate
            x = ...                               # step from here to there
        return x

x       (C, h, w) latents at levels[0]
levels  strictly falling, the last one without noise
noise   draws a new unit Gaussian array of x's shape each time it is called

A sampler knows no model, prompt, mask, progress bar or batch. All are written in (alpha, sigma),
so both paths share them and pure noise (alpha = 0) is finite. Adding one: write the function,
enter it in SAMPLERS; the tests of convergence and of exact ends then run on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from partway.denoiser import Array, Solver
from partway.errors import UnknownName
from partway.samplers.dpmpp import dpmpp_2m
from partway.samplers.euler import euler, euler_ancestral
from partway.schedule import Level

Noise: TypeAlias = Callable[[], Array]


@dataclass(frozen=True, slots=True)
class Sampler:
    """A registered sampler.

    order       order of convergence of its deterministic part on a smooth problem
    stochastic  whether it draws noise on the way
    per_step    network evaluations per interval
    """

    solve: Callable[[Array, Sequence[Level], Noise], Solver]
    order: int
    stochastic: bool = False
    per_step: int = 1

    def evaluations(self, intervals: int) -> int:
        """Network evaluations for a run of so many intervals."""
        return self.per_step * intervals


SAMPLERS: dict[str, Sampler] = {
    "euler": Sampler(euler, order=1),
    "euler_ancestral": Sampler(euler_ancestral, order=1, stochastic=True),
    "dpmpp_2m": Sampler(dpmpp_2m, order=2),
}


def get_sampler(name: str) -> Sampler:
    """Look a sampler up by name; UnknownName lists them."""
    if name not in SAMPLERS:
        raise UnknownName("sampler", name, SAMPLERS)
    return SAMPLERS[name]
