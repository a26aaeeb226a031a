"""The dial inside one's own sampling loop, with any scheduler of diffusers.

    way = partway.levels(pipe.scheduler, 0.45, steps=8)
    x = way.start(latents, noise)
    for time, here, there in way:
        x = way.step(x, unet(x, time, embeddings).sample, here, there)

The scheduler is only read: its config, and its alphas_cumprod where it has them. Latents may be
arrays of NumPy or torch, as only arithmetic operators are used on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, cast

from partway.checkpoints.scheduler import log_nsr_of, prediction_of, schedule_of
from partway.denoiser import PREDICTIONS
from partway.errors import InvalidRequest
from partway.fields import number, whole
from partway.plan import Plan, plan_edit
from partway.samplers.euler import step as euler_step
from partway.schedule import Level, Schedule, discrete_vp
from partway.shift import shift_of
from partway.strength import DEFAULT_DIAL


class Step(NamedTuple):
    """One interval: the timestep to ask the network at, and the levels it runs between."""

    time: float
    here: Level
    there: Level


@dataclass(frozen=True, slots=True)
class Way:
    """The levels from a strength's start down to no noise; iterating yields `Step`s.

    plan        levels, start and kappa, see partway.plan.Plan; no levels at strength 0
    timesteps   what the network is told, one per step: real numbers, 0 … num_train_timesteps
    sigmas      one more, the last one 0: sigma / alpha of a model with betas (k-diffusion's), the
                share of noise of a flow. EulerDiscreteScheduler walks them as they are:
                `set_timesteps(sigmas=list(way.sigmas))`
    prediction  what the network's output is: "eps", "v", "sample" or "velocity"
    lowest      the least noisy level the network was trained on
    """

    plan: Plan
    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...]
    prediction: str
    lowest: Level

    def __iter__(self) -> Iterator[Step]:
        for time, (here, there) in zip(self.timesteps, pairwise(self.plan.levels), strict=True):
            yield Step(time, here, there)

    def start(self, latents: Any, noise: Any) -> Any:
        """Where to begin: kappa * alpha * latents + sigma * noise, of latents and unit noise.

        At strength 0 the latents themselves, at 1 nothing of them.
        """
        if not self.plan.levels:
            return latents
        first = self.plan.levels[0]
        return (self.plan.kappa * first.alpha) * latents + first.sigma * noise

    def step(self, x: Any, output: Any, here: Level, there: Level) -> Any:
        """Euler's step (DDIM with eta 0) with a network's output for `x`, guidance applied."""
        return euler_step(x, self.estimate(x, output, here), here, there)

    def estimate(self, x: Any, output: Any, here: Level) -> Any:
        """The clean estimate, for other samplers.

        Below the lowest level it tends to x / alpha, as in partway.denoiser.denoise.
        """
        to_x0 = PREDICTIONS[self.prediction]
        if here.sigma >= self.lowest.sigma:
            return to_x0(x, output, cast("Any", here.alpha), cast("Any", here.sigma))
        plain, low = x / here.alpha, self.lowest
        x0 = to_x0(plain * low.alpha, output, cast("Any", low.alpha), cast("Any", low.sigma))
        return plain + here.nsr / low.nsr * (x0 - plain)


def levels(
    scheduler: Any,
    strength: float,
    steps: int | None = None,
    *,
    full_steps: int | None = None,
    dial: str = DEFAULT_DIAL,
    gain: float = 1.0,
    spacing: str = "uniform",
    mu: float | None = None,
) -> Way:
    """The exact start and levels of `strength` for a loop of one's own.

    scheduler   a scheduler of diffusers, or anything with such a `config`
    strength    0 … 1 on `dial`
    steps       exactly so many; or full_steps, the density of a whole run (20)
    gain        of dial `standard`: √(latent positions / 4096), so 1 at 512 pixels and 2 at 1024
    spacing     a name in partway.spacings; those even in time are so before a flow's shift
    mu          of a flow whose shift depends on the picture's size: what the pipeline gives to
                `set_timesteps(mu=...)`

    InvalidRequest for a scheduler that says nothing of its levels. A flow's `shift_terminal` is
    left out: a way ends at no noise.
    """
    strength = number("strength", strength)
    steps = None if steps is None else whole("steps", steps)
    full_steps = None if full_steps is None else whole("full_steps", full_steps)
    config = _config_of(scheduler)
    if _is_flow(config):
        return _flow(config, strength, steps, full_steps, dial, gain, spacing, mu)
    prediction, schedule = prediction_of(config), _schedule(scheduler, config)
    plan = plan_edit(
        strength,
        schedule,
        dial=dial,
        gain=gain,
        steps=steps,
        full_steps=full_steps,
        spacing=spacing,
    )
    count = len(schedule.table)
    times = (count * schedule.time_of(level.noise_fraction) - 1.0 for level in plan.levels[:-1])
    return Way(
        plan,
        tuple(max(time, 0.0) for time in times),
        tuple(level.nsr for level in plan.levels),
        prediction,
        schedule.level(schedule.lowest),
    )


def _flow(
    config: Mapping[str, Any],
    strength: float,
    steps: int | None,
    full_steps: int | None,
    dial: str,
    gain: float,
    spacing: str,
    mu: float | None,
) -> Way:
    """A rectified flow: its shift moves the steps, not the start."""
    schedule = Schedule(path="flow", shift=_shift(config, mu))
    plan = plan_edit(
        strength,
        schedule,
        dial=dial,
        gain=gain,
        steps=steps,
        full_steps=full_steps,
        spacing=spacing,
    )
    count = int(config.get("num_train_timesteps", 1000))
    return Way(
        plan,
        tuple(count * level.sigma for level in plan.levels[:-1]),
        tuple(level.sigma for level in plan.levels),
        "velocity",
        schedule.level(0.0),
    )


def _config_of(scheduler: Any) -> Mapping[str, Any]:
    """What a scheduler was made with."""
    config = getattr(scheduler, "config", None)
    if not isinstance(config, Mapping):
        raise InvalidRequest(
            f"{type(scheduler).__name__} has no config: want a scheduler of diffusers, such as "
            "pipe.scheduler"
        )
    return cast("Mapping[str, Any]", config)


def _is_flow(config: Mapping[str, Any]) -> bool:
    """Whether noise and signal add up to 1: flow-matching schedulers, and others set to it."""
    named = config.get("prediction_type") == "flow_prediction" or config.get("use_flow_sigmas")
    return bool(named) or ("shift" in config and "beta_schedule" not in config)


def _shift(config: Mapping[str, Any], mu: float | None) -> float:
    """The factor on the noise-to-signal ratio of an even grid; > 0."""
    shift = shift_of(config)
    if shift.fixed is not None:
        return shift.fixed
    if mu is None:
        raise InvalidRequest(
            "this scheduler's shift depends on the picture's size: give mu, as for "
            "set_timesteps(mu=...)"
        )
    return shift.of(mu)


def _schedule(scheduler: Any, config: Mapping[str, Any]) -> Schedule:
    """Its own alphas_cumprod, whatever they were made from; else those its config describes."""
    products = getattr(scheduler, "alphas_cumprod", None)
    if products is not None:
        return discrete_vp(tuple(log_nsr_of(float(product)) for product in products))
    if "beta_schedule" not in config:
        raise InvalidRequest(
            f"{type(scheduler).__name__} says nothing of its noise levels: want alphas_cumprod, or "
            "beta_schedule or shift in its config"
        )
    return schedule_of(config)
