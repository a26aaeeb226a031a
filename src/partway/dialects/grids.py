"""Grids: the levels of a tool's schedule.

    grid(kind, i, n) -> noise fraction of point i = 0 … n - 1 of a schedule of n steps, falling

One point at a time, since some rules make schedules of thousands of steps and enter near the end.
Every formula is that of the code named; timesteps of discrete models are real numbers except where
the code rounds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from partway.dialects.kinds import Kind
from partway.errors import InvalidRequest
from partway.strength import noise_fraction_of, nsr_of

Grid: TypeAlias = Callable[[Kind, int, int], float]

RHO = 7.0
# Levels of ComfyUI's ModelSamplingFlux; its other flows, FLUX.1 schnell among them, have 1000.
LARGE_TABLE, WITH_LARGE_TABLE = 10_000, {"flux", "qwen-image"}


def linspace(kind: Kind, i: int, n: int) -> float:
    """Even from the first to the last timestep: t = 999 (1 - i / (n - 1)).

    k-diffusion, external.py: DiscreteSchedule.get_sigmas; A1111's "Uniform", ComfyUI's "normal"
    (comfy/samplers.py: normal_scheduler), diffusers' Euler and Heun with "linspace".
    Flows: ComfyUI's, u even from 1 to the table's least level, which is shifted twice.
    """
    share = i / (n - 1) if n > 1 else 0.0
    if not kind.is_flow:
        return kind.at_time(kind.top_time * (1.0 - share))
    return kind.shifted(1.0 + share * (kind.shifted(1.0 / _levels(kind)) - 1.0))


def linspace_up(kind: Kind, i: int, n: int) -> float:
    """As linspace, but counted up and turned round: a single step stands at timestep 0.

    diffusers 0.42.1, EulerDiscreteScheduler and its kin with "linspace".
    """
    return kind.at_time(0.0) if n == 1 else linspace(kind, i, n)


def linspace_next(kind: Kind, i: int, n: int) -> float:
    """Whole timesteps, even to 0, which is left out: t = round(999 (1 - i / n)).

    diffusers 0.42.1, DPMSolverMultistepScheduler and UniPC with "linspace".
    """
    return kind.at_time(round((n - i) * (kind.top_time / n)))


def leading(kind: Kind, i: int, n: int) -> float:
    """Whole steps up from timestep 1: t = (n - 1 - i) (1000 // n) + 1.

    diffusers 0.42.1, DDIM, PNDM, Euler with "leading" and steps_offset 1.
    """
    return kind.at_time((n - 1 - i) * (len(kind.table) // n) + 1)


def leading_next(kind: Kind, i: int, n: int) -> float:
    """Whole steps up from timestep 1, of n + 1: t = (n - i) (1000 // (n + 1)) + 1.

    diffusers 0.42.1, DPMSolverMultistepScheduler and UniPC with "leading".
    """
    return kind.at_time((n - i) * (len(kind.table) // (n + 1)) + 1)


def pndm(kind: Kind, i: int, n: int) -> float:
    """As leading, but that the second point stands there twice: n + 1 points.

    diffusers 0.42.1, schedulers/scheduling_pndm.py: set_timesteps, skip_prk_steps.
    """
    return leading(kind, i if i < 2 else i - 1, n)


def simple(kind: Kind, i: int, n: int) -> float:
    """Points of the table, even from its end: index = size - 1 - floor(i size / n).

    ComfyUI v0.3.64, comfy/samplers.py: simple_scheduler.
    """
    size = _levels(kind)
    index = size - 1 - int(i * (size / n))
    return kind.shifted((index + 1) / size) if kind.is_flow else kind.at_time(index)


def sgm_uniform(kind: Kind, i: int, n: int) -> float:
    """Even in timesteps, the last replaced by no noise: t = 999 (1 - i / n).

    ComfyUI v0.3.64, comfy/samplers.py: normal_scheduler(sgm=True).
    """
    share = i / n
    if not kind.is_flow:
        return kind.at_time(kind.top_time * (1.0 - share))
    return kind.shifted(1.0 + share * (kind.shifted(1.0 / _levels(kind)) - 1.0))


def karras(kind: Kind, i: int, n: int) -> float:
    """sigma^(1/7) even from the model's largest to its smallest (Karras et al. 2022, eq. 5).

    k-diffusion, sampling.py: get_sigmas_karras.
    """
    high, low = _ends(kind)
    return _fraction(kind, karras_between(high, low, i, n))


def exponential(kind: Kind, i: int, n: int) -> float:
    """Log sigma even from the model's largest to its smallest.

    k-diffusion, sampling.py: get_sigmas_exponential.
    """
    high, low = _ends(kind)
    return _fraction(kind, exponential_between(high, low, i, n))


def flow(kind: Kind, i: int, n: int) -> float:
    """A flow's u even from 1 down to 1 / n, shifted; SD3's from its own ends, shifted twice.

    Qwen-Image's is then drawn out to its last level, which no number comes of with a single step.

    diffusers 0.42.1: sigmas = linspace(1, 1/N, N) in the Flux, Qwen-Image and Z-Image pipelines;
    for SD3, FlowMatchEulerDiscreteScheduler.set_timesteps; stretch_shift_to_terminal.
    """
    if kind.terminal > 0.0:
        if n == 1:
            raise InvalidRequest(f"{kind.name} fails with a single step; try --steps 2")
        stretch = (1.0 - kind.terminal) / (1.0 - kind.shifted(1.0 / n))
        return 1.0 - (1.0 - kind.shifted(1.0 - i / n)) * stretch
    if not kind.own_ends:
        return kind.shifted(1.0 - i / n)
    share = i / (n - 1) if n > 1 else 0.0
    return kind.shifted(1.0 + share * (kind.shifted(0.001) - 1.0))


def flow_even(kind: Kind, i: int, n: int) -> float:
    """A flow's u even from 1 down to 1 / n, not shifted, whatever the model."""
    del kind
    return 1.0 - i / n


def flow_shifted(kind: Kind, i: int, n: int) -> float:
    """A flow's u even from 1 down to 1 / n, shifted once, whatever the model."""
    return kind.shifted(1.0 - i / n)


GRIDS: dict[str, Grid] = {
    "linspace": linspace,
    "linspace_up": linspace_up,
    "linspace_next": linspace_next,
    "leading": leading,
    "leading_next": leading_next,
    "pndm": pndm,
    "simple": simple,
    "sgm_uniform": sgm_uniform,
    "karras": karras,
    "exponential": exponential,
    "flow": flow,
    "flow_even": flow_even,
    "flow_shifted": flow_shifted,
}


def karras_between(high: float, low: float, i: int, n: int) -> float:
    """Sigma i of n, sigma^(1/7) even between two."""
    share = i / (n - 1) if n > 1 else 0.0
    return (high ** (1.0 / RHO) + share * (low ** (1.0 / RHO) - high ** (1.0 / RHO))) ** RHO


def exponential_between(high: float, low: float, i: int, n: int) -> float:
    """Sigma i of n, log sigma even between two."""
    share = i / (n - 1) if n > 1 else 0.0
    return high * (low / high) ** share


def _levels(kind: Kind) -> int:
    """Size of the table ComfyUI makes for a model."""
    if not kind.is_flow:
        return len(kind.table)
    return LARGE_TABLE if kind.name in WITH_LARGE_TABLE else 1000


def _ends(kind: Kind) -> tuple[float, float]:
    """The largest and the smallest sigma: noise-to-signal ratios, of flows the level itself."""
    if kind.is_flow:
        return 1.0, kind.shifted(1.0 / _levels(kind))
    return nsr_of(kind.at_time(kind.top_time)), nsr_of(kind.at_time(0.0))


def _fraction(kind: Kind, sigma: float) -> float:
    """Noise fraction of such a sigma."""
    return min(sigma, 1.0) if kind.is_flow else noise_fraction_of(sigma)
