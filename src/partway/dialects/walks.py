"""The very levels a diffusers pipeline visits, with the scheduler of a checkpoint's config.

    walk(config, "ddim", 0.6, steps=20) -> Walk

Where partway.dialects.diffusers gives the start of a kind of model, this reads the checkpoint's own
scheduler_config.json, as `SchedulerClass.from_config` would (huggingface/diffusers 0.42.1,
schedulers/scheduling_*.py: set_timesteps), down to its last level, so that the same noise gives the
same picture. What it cannot follow to the last digit it refuses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from partway.errors import InvalidRequest, UnknownName
from partway.schedule import Level

Config = Mapping[str, Any]

# Our samplers → spacing of timesteps where the config names none.
SPACINGS = {
    "ddim": "leading",
    "euler": "linspace",
    "euler_ancestral": "linspace",
    "dpmpp_2m": "linspace",
}
CLASSES = {
    "DDIMScheduler": "ddim",
    "EulerDiscreteScheduler": "euler",
    "EulerAncestralDiscreteScheduler": "euler_ancestral",
    "DPMSolverMultistepScheduler": "dpmpp_2m",
}
# Settings that would change the walk, and the only values that are followed.
PLAIN: Mapping[str, object] = {
    "thresholding": False,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
    "interpolation_type": "linear",
    "solver_order": 2,
    "algorithm_type": "dpmsolver++",
    "solver_type": "midpoint",
}


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a pipeline goes.

    levels  from the start to the last; the last one has noise where the scheduler leaves some
    pure    scale of the noise at a start without a source, beside which it is drawn with variance 1
    """

    levels: tuple[Level, ...]
    pure: float


def own_sampler(config: Config) -> str:
    """Our name of a scheduler's sampler; InvalidRequest where it is not followed."""
    name = config.get("_class_name")
    if name not in CLASSES:
        followed = ", ".join(SPACINGS)
        raise InvalidRequest(
            f"this checkpoint's scheduler is {name}, which is not followed to the last digit: "
            f"name one that is with --sampler, of {followed}"
        )
    return CLASSES[name]


def first_step(strength: float, steps: int) -> int:
    """Index of the first step: N - int(N * strength); InvalidRequest where none is left."""
    first = max(steps - min(int(steps * strength), steps), 0)
    if first >= steps:
        least = math.ceil(100 / steps) / 100
        raise InvalidRequest(
            f"diffusers fails at {strength:g} with {steps} steps: none is left to run; it runs "
            f"from about {least:g}"
        )
    return first


def walk(config: Config, table: Sequence[float], sampler: str, strength: float, steps: int) -> Walk:
    """The walk of an image-to-image pipeline.

    config   of the scheduler; what it leaves out is the class's default
    table    ascending log noise-to-signal ratios by timestep
    sampler  "ddim", "euler", "euler_ancestral" or "dpmpp_2m"
    """
    if not table:
        raise InvalidRequest("models without a table of timesteps are not followed: leave --as out")
    if sampler not in SPACINGS:
        raise UnknownName("sampler that is followed exactly", sampler, SPACINGS)
    for name, value in PLAIN.items():
        if config.get(name, value) != value and not _idle(name, sampler):
            raise InvalidRequest(
                f"this checkpoint's scheduler has {name} = {config[name]!r}, which is not followed "
                "to the last digit: leave --as out, or use diffusers"
            )
    first = first_step(strength, steps)
    times = _times(config, len(table), sampler, steps)
    sigmas = [_sigma(table, time) for time in times]
    if sampler == "ddim":
        _check_ddim(config, times, len(table), steps)
        keeps = not config.get("set_alpha_to_one", True)
    else:
        keeps = config.get("final_sigmas_type", "zero") == "sigma_min"
    last = _sigma(table, 0.0) if keeps else 0.0
    levels = tuple(_level(sigma) for sigma in [*sigmas[first:], last])
    spaced = config.get("timestep_spacing", SPACINGS[sampler])
    scaled = sampler in {"euler", "euler_ancestral"} and spaced != "leading"
    return Walk(levels, levels[0].sigma if scaled else 1.0)


def _idle(name: str, sampler: str) -> bool:
    """Whether a setting belongs to another class and does nothing here."""
    if name in {"solver_order", "algorithm_type", "solver_type", "use_lu_lambdas"}:
        return sampler != "dpmpp_2m"
    return sampler == "ddim" and name.startswith(("use_", "interpolation"))


def _times(config: Config, count: int, sampler: str, steps: int) -> list[float]:
    """Timesteps, falling; of Euler's schedulers real numbers.

    "linspace", "leading" and "trailing" are those of table 2 of Lin et al. 2024. The multistep
    scheduler makes one point more and leaves the last out.
    """
    spacing = config.get("timestep_spacing", SPACINGS[sampler])
    more = 1 if sampler == "dpmpp_2m" else 0
    if spacing == "leading":
        ratio, offset = count // (steps + more), int(config.get("steps_offset", 0))
        return [float(i * ratio + offset) for i in reversed(range(more, steps + more))]
    if spacing == "trailing":
        return [round(count - i * count / steps) - 1.0 for i in range(steps)]
    if spacing != "linspace":
        raise InvalidRequest(f"timestep_spacing is {spacing!r}: diffusers fails on it")
    parts = steps - 1 + more
    even = [(count - 1) * i / parts if parts else 0.0 for i in range(parts + 1)]
    times = [time if sampler.startswith("euler") else float(round(time)) for time in even]
    return times[::-1][:steps]


def _check_ddim(config: Config, times: Sequence[float], count: int, steps: int) -> None:
    """DDIM steps by count // steps, whatever its grid: followed only where both agree."""
    if config.get("clip_sample", True):
        raise InvalidRequest(
            "this checkpoint's scheduler clips its estimates (clip_sample), which is not followed: "
            "leave --as out, or use diffusers"
        )
    gap = count // steps
    if any(here - there != gap for here, there in pairwise(times)):
        raise InvalidRequest(
            f"diffusers' DDIM walks {gap} timesteps at a time over a grid of other steps: not "
            "followed; try --sampler euler"
        )


def _sigma(table: Sequence[float], time: float) -> float:
    """Noise-to-signal ratio at a timestep, linear between whole ones (numpy.interp)."""
    time = min(max(time, 0.0), len(table) - 1.0)
    index = min(int(time), len(table) - 2)
    below, above = math.exp(table[index]), math.exp(table[index + 1])
    return below + (time - index) * (above - below)


def _level(nsr: float) -> Level:
    """The variance-preserving level of a noise-to-signal ratio."""
    norm = math.hypot(1.0, nsr)
    return Level(1.0 / norm, nsr / norm)
