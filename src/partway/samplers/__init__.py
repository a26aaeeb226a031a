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
from partway.request import DEFAULT_SAMPLER
from partway.samplers.dpmpp import dpmpp_2m, dpmpp_2m_sde, dpmpp_sde
from partway.samplers.euler import euler, euler_ancestral, euler_sde, lcm
from partway.samplers.heun import heun
from partway.samplers.unipc import unipc
from partway.schedule import Level

Noise: TypeAlias = Callable[[], Array]


@dataclass(frozen=True, slots=True)
class Sampler:
    """A registered sampler.

    order       of convergence on a smooth problem: to the solution of the ODE, or where it draws
                noise, of the result's mean and variance. 0 where it converges only for networks
                distilled for it
    stochastic  whether it draws noise on the way
    per_step    network evaluations per interval; the last one, to no noise, always takes one
    memory      whether a step uses estimates of earlier ones
    shaded      the sampler that walks maps of more than two strengths in its place: there
                positions set out at different times, which one with memory cannot follow
    """

    solve: Callable[[Array, Sequence[Level], Noise], Solver]
    order: int
    stochastic: bool = False
    per_step: int = 1
    memory: bool = False
    shaded: str | None = None

    def evaluations(self, intervals: int) -> int:
        """Network evaluations for a run of so many intervals, at least one."""
        return self.per_step * (intervals - 1) + 1


SAMPLERS: dict[str, Sampler] = {
    "euler": Sampler(euler, order=1),
    "ddim": Sampler(euler, order=1),  # the same under the name programs with own grids for it use
    "euler_ancestral": Sampler(euler_ancestral, order=1, stochastic=True),
    "euler_sde": Sampler(euler_sde, order=1, stochastic=True),
    "heun": Sampler(heun, order=2, per_step=2),
    "dpmpp_2m": Sampler(dpmpp_2m, order=2, memory=True, shaded="euler"),
    "dpmpp_2m_sde": Sampler(
        dpmpp_2m_sde, order=2, stochastic=True, memory=True, shaded="euler_sde"
    ),
    "dpmpp_sde": Sampler(dpmpp_sde, order=2, stochastic=True, per_step=2),
    "unipc": Sampler(unipc, order=3, memory=True, shaded="euler"),
    "lcm": Sampler(lcm, order=0, stochastic=True),
}


def get_sampler(name: str | None) -> Sampler:
    """Look a sampler up by name, None being the default; UnknownName lists them."""
    name = DEFAULT_SAMPLER if name is None else name
    if name not in SAMPLERS:
        raise UnknownName("sampler", name, SAMPLERS)
    return SAMPLERS[name]
