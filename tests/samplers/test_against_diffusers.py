"""Solvers step by step against diffusers' schedulers, on fixed random answers of a network."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
from tests.families.tiny import VP

from partway.checkpoints.scheduler import prediction_of
from partway.denoiser import PREDICTIONS, Array
from partway.samplers import dpmpp, get_sampler
from partway.schedule import Level

diffusers: Any = pytest.importorskip("diffusers")
torch: Any = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

SHAPE = (1, 4, 6, 6)
# sampler: their class, its settings, whether its latents are x / alpha
CASES: dict[str, tuple[str, dict[str, Any], bool]] = {
    "ddim": ("DDIMScheduler", {"set_alpha_to_one": True, "timestep_spacing": "trailing"}, False),
    "euler": ("EulerDiscreteScheduler", {}, True),
    "euler_ancestral": ("EulerAncestralDiscreteScheduler", {}, True),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {"final_sigmas_type": "zero"}, False),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}, False),
    "heun": ("HeunDiscreteScheduler", {}, True),
    "unipc": ("UniPCMultistepScheduler", {"final_sigmas_type": "zero"}, False),
    "lcm": ("LCMScheduler", {"set_alpha_to_one": True, "original_inference_steps": 50}, False),
}


class Draws:
    """The same fixed arrays for both, in order."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.RandomState(seed)

    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        return self._rng.standard_normal(SHAPE)


def level_of(nsr: float) -> Level:
    norm = math.hypot(1.0, nsr)
    return Level(1.0 / norm, nsr / norm)


def walked(
    scheduler: Any, prediction: str, *, scaled: bool = False, first: int = 0
) -> tuple[list[Level], list[Array]]:
    """Levels their scheduler visits from step `first`, and its latents, as alpha x0 + sigma eps."""
    answers, x = Draws(1), Draws(2)()
    if hasattr(scheduler, "sigmas"):
        nsrs = [float(sigma) for sigma in scheduler.sigmas]
    else:
        kept = [float(scheduler.alphas_cumprod[int(time)]) for time in scheduler.timesteps]
        nsrs = [*(math.sqrt((1 - k) / k) for k in kept), 0.0]
    places = [Level(1 - s, s) if prediction == "velocity" else level_of(s) for s in nsrs[first:]]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    latents = torch.tensor(x) / (places[0].alpha if scaled else 1.0)
    seen = [x]
    for time, there in zip(scheduler.timesteps[first:], places[1:], strict=True):
        if prediction != "velocity":
            scheduler.scale_model_input(latents, time)
        latents = scheduler.step(torch.tensor(answers()), time, latents).prev_sample
        seen.append(np.asarray(latents) * (there.alpha if scaled else 1.0))
    return sorted(set(places), key=lambda level: -level.sigma), seen


def ours(sampler: str, levels: list[Level], prediction: str) -> list[Array]:
    """Our latents at each question and at the end, on the same answers and draws."""
    answers, noise = Draws(1), Draws(9)
    solver = get_sampler(sampler).solve(Draws(2)(), levels, noise)
    seen: list[Array] = []
    to_x0: Any = PREDICTIONS[prediction]
    try:
        query = next(solver)
        while True:
            seen.append(query.x)
            here = query.level
            query = solver.send(to_x0(query.x, answers(), here.alpha, here.sigma))
    except StopIteration as done:
        return [*seen, done.value]


@pytest.fixture(autouse=True)
def same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their noise is ours, in order: whichever module asks for it."""
    draws = Draws(9)

    def drawn(*args: Any, **kwargs: Any) -> Any:
        return torch.tensor(draws())

    for name, _, _ in CASES.values():
        module = sys.modules[getattr(diffusers, name).__module__]
        if hasattr(module, "randn_tensor"):
            monkeypatch.setattr(module, "randn_tensor", drawn)


def furthest(mine: list[Array], theirs: list[Array]) -> float:
    """Largest difference at any step, in units of what is there."""
    assert len(mine) == len(theirs)
    return max(
        float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))
        for a, b in zip(mine, theirs, strict=True)
    )


@pytest.mark.parametrize(("steps", "first"), [(1, 0), (4, 0), (4, 2), (20, 0), (20, 10)])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("sampler", CASES)
def test_every_step(sampler: str, prediction: str, steps: int, first: int) -> None:
    name, settings, scaled = CASES[sampler]
    config = {**VP, "prediction_type": prediction, **settings}
    scheduler = getattr(diffusers, name).from_config(config)
    scheduler.set_timesteps(steps)
    first *= scheduler.order  # Heun asks twice a step
    places, theirs = walked(scheduler, prediction, scaled=scaled, first=first)
    mine = ours(sampler, places, prediction_of(config))
    assert furthest(mine, theirs) < 1e-4


@pytest.mark.parametrize(("steps", "first"), [(1, 0), (4, 2), (20, 0), (20, 7)])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_every_step_of_a_flow(shift: float, steps: int, first: int) -> None:
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(steps)
    places, theirs = walked(scheduler, "velocity", first=first)
    assert furthest(ours("euler", places, "velocity"), theirs) < 1e-4


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "dpmpp_2m_sde"])
def test_the_clamped_ratio_is_the_whole_difference(
    sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a short first interval ours extrapolates less; without the clamp it is theirs."""
    name, settings, _ = CASES[sampler]
    scheduler = getattr(diffusers, name).from_config({**VP, **settings})
    scheduler.set_timesteps(timesteps=[700, 695, 400, 150])
    places, theirs = walked(scheduler, "epsilon")
    assert furthest(ours(sampler, places, "eps"), theirs) > 0.01
    monkeypatch.setattr(dpmpp, "MIN_STEP_RATIO", 0.0)
    assert furthest(ours(sampler, places, "eps"), theirs) < 1e-4
