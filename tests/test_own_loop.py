"""levels(): exact starts for one's own loop, on the very schedulers of diffusers."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.families import tiny

from partway import levels, plan_edit
from partway.errors import InvalidRequest, PartwayError
from partway.schedule import discrete_vp
from partway.strength import noise_fraction_of, sd1_log_nsr, start_noise_fraction

diffusers: Any = pytest.importorskip("diffusers")
torch: Any = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

DISCRETE = [
    "DDIMScheduler",
    "PNDMScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "UniPCMultistepScheduler",
    "HeunDiscreteScheduler",
    "LCMScheduler",
]


def sd1(name: str, **more: Any) -> Any:
    return getattr(diffusers, name).from_config({**tiny.VP, **more})


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("strength", [0.01, 0.45, 0.46, 0.9, 1.0])
def test_starts_exactly_where_the_dial_says(name: str, strength: float) -> None:
    way = levels(sd1(name), strength, steps=4)
    expected = plan_edit(strength, discrete_vp(sd1_log_nsr()), steps=4)
    assert [level.sigma for level in way.plan.levels] == pytest.approx(
        [level.sigma for level in expected.levels], abs=1e-5
    )
    assert way.plan.noise_fraction == start_noise_fraction(strength)
    assert len(list(way)) == len(way.timesteps) == 4


@pytest.mark.parametrize("name", DISCRETE)
def test_timesteps_are_those_of_their_tables(name: str) -> None:
    """At each timestep their own table has the level's own noise."""
    scheduler = sd1(name)
    products = np.asarray(scheduler.alphas_cumprod, np.float64)
    log_nsr = 0.5 * np.log((1 - products) / products)
    for time, here, _ in levels(scheduler, 0.73, steps=5):
        assert np.interp(time, np.arange(1000), log_nsr) == pytest.approx(math.log(here.nsr))


def test_a_table_that_ends_level() -> None:
    """Linear betas moved to zero signal: the last two levels come to the same."""
    scheduler = diffusers.DDIMScheduler(rescale_betas_zero_snr=True)
    assert levels(scheduler, 1.0, steps=3).timesteps[0] == 999.0


def test_the_ends() -> None:
    scheduler = sd1("DDIMScheduler")
    latents, noise = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    nothing = levels(scheduler, 0.0, steps=8)
    assert nothing.start(latents, noise) is latents
    assert list(nothing) == []
    assert nothing.sigmas == ()
    everything = levels(scheduler, 1.0, steps=8)
    assert torch.equal(everything.start(latents, noise), everything.start(-latents, noise))


@pytest.mark.parametrize("spacing", ["uniform", "karras"])
def test_their_euler_walks_the_same_sigmas(spacing: str) -> None:
    """Their scheduler, told our sigmas, ends where our own loop does."""
    scheduler = sd1("EulerDiscreteScheduler")
    way = levels(scheduler, 0.6, steps=6, spacing=spacing)
    rng = torch.Generator().manual_seed(3)
    latents, noise = (torch.randn(1, 4, 8, 8, generator=rng) for _ in range(2))

    def network(x: Any, time: float) -> Any:
        return torch.tanh(1.3 * x) + time / 1000

    scheduler.set_timesteps(sigmas=list(way.sigmas))
    theirs = latents + scheduler.sigmas[0] * noise
    for time in scheduler.timesteps:
        asked = scheduler.scale_model_input(theirs, time)
        theirs = scheduler.step(network(asked, time), time, theirs).prev_sample
    ours = way.start(latents, noise)
    for time, here, there in way:
        ours = way.step(ours, network(ours, time), here, there)
    assert torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "mu", "factor"),
    [
        ({"shift": 1.0}, None, 1.0),
        ({"shift": 3.0}, None, 3.0),
        ({"use_dynamic_shifting": True}, 1.15, math.exp(1.15)),
        ({"use_dynamic_shifting": True, "time_shift_type": "linear"}, 2.5, 2.5),
    ],
)
def test_flows_walk_their_own_shift(settings: Any, mu: float | None, factor: float) -> None:
    """A whole run is diffusers' own grid; a start between its points is met exactly."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(**settings)
    whole = levels(scheduler, 1.0, steps=8, mu=mu)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / 8, 8), mu=mu)
    assert whole.sigmas == pytest.approx(scheduler.sigmas.tolist(), abs=1e-5)
    assert whole.timesteps == pytest.approx(scheduler.timesteps.tolist(), abs=1e-2)
    part = levels(scheduler, 0.45, full_steps=8, mu=mu)
    start = start_noise_fraction(0.45)
    assert part.sigmas[0] == start
    assert part.sigmas[1:] == pytest.approx([s for s in whole.sigmas if s < start])
    assert levels(scheduler, 0.45, steps=2, dial="noise", mu=mu).sigmas[1] == pytest.approx(
        noise_fraction_of(factor * _half(0.45, factor))
    )


def _half(start: float, factor: float) -> float:
    """Noise-to-signal ratio at half the unshifted time of a start."""
    unshifted = noise_fraction_of(start / (1 - start) / factor)
    return unshifted / 2 / (1 - unshifted / 2)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_perfect_network_arrives(prediction: str) -> None:
    """Told the truth, one step from any level ends at the clean latents, below the range too."""
    scheduler = sd1("DDIMScheduler", prediction_type=prediction)
    rng = np.random.RandomState(5)
    x0, eps = rng.standard_normal((2, 1, 4, 8, 8))
    for strength in (0.3, 0.8):
        way = levels(scheduler, strength, steps=1)
        ((_, here, there),) = way
        truth = {"epsilon": eps, "v_prediction": here.alpha * eps - here.sigma * x0, "sample": x0}
        x = way.start(x0, eps)
        assert way.step(x, truth[prediction], here, there) == pytest.approx(x0)


def test_small_strengths_tend_to_the_source() -> None:
    x0, eps = np.random.RandomState(5).standard_normal((2, 1, 4, 8, 8))
    moved: list[float] = []
    for strength in (1e-2, 1e-3, 1e-4):
        way = levels(sd1("DDIMScheduler"), strength, steps=1)
        ((_, here, there),) = way
        moved.append(float(np.abs(way.step(way.start(x0, eps), -eps, here, there) - x0).max()))
    assert moved[0] > 5 * moved[1] > 25 * moved[2] > 0


def test_nothing_of_the_scheduler_changes() -> None:
    scheduler = sd1("EulerDiscreteScheduler")
    before = scheduler.sigmas.clone(), scheduler.timesteps.clone(), dict(scheduler.config)
    levels(scheduler, 0.5, steps=3)
    assert torch.equal(before[0], scheduler.sigmas)
    assert torch.equal(before[1], scheduler.timesteps)
    assert before[2] == dict(scheduler.config)


def test_a_config_alone_is_enough() -> None:
    bare = SimpleNamespace(config=tiny.VP)
    full = levels(sd1("DDIMScheduler"), 0.5, steps=3)
    assert levels(bare, 0.5, steps=3).sigmas == pytest.approx(full.sigmas, rel=1e-4)


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [
        (object(), "has no config"),
        (SimpleNamespace(config={}), "says nothing of its noise levels"),
        (SimpleNamespace(config={"shift": 1.0, "use_dynamic_shifting": True}), "give mu"),
    ],
)
def test_what_is_no_scheduler_is_refused(scheduler: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        levels(scheduler, 0.5, steps=3)


def told(**config: Any) -> Any:
    """A scheduler that is its config."""
    return SimpleNamespace(config=config)


@pytest.mark.parametrize(
    ("scheduler", "options", "words"),
    [
        (told(beta_schedule="linear", num_train_timesteps=1), {}, "over 1 timesteps"),
        (told(beta_schedule="linear", num_train_timesteps=math.inf), {}, "over inf timesteps"),
        (told(beta_schedule="scaled_linear", beta_start=-1.0), {}, "from -1.0"),
        (told(beta_schedule="linear", beta_end=2.0), {}, "to 2.0"),
        (told(beta_schedule="linear", trained_betas=[0.1, 0.2]), {}, "trained_betas"),
        (told(shift=-1.0), {}, "has the shift -1.0: want a positive"),
        (told(shift=1.0, use_dynamic_shifting=True), {"mu": 1000.0}, "gives the shift inf"),
        (told(shift=1.0, use_dynamic_shifting=True), {"mu": math.nan}, "want a positive"),
        (told(shift=1.0), {"strength": "0.5"}, "strength is '0.5', want a number"),
        (told(shift=1.0), {"steps": 2.5}, "steps is 2.5, want a whole number"),
    ],
)
def test_what_cannot_be_walked_is_said(scheduler: Any, options: dict[str, Any], words: str) -> None:
    asked: dict[str, Any] = {"strength": 0.5, "steps": 2}
    with pytest.raises(PartwayError, match=words):
        levels(scheduler, **(asked | options))


def test_a_table_that_begins_without_noise() -> None:
    for scheduler in (told(beta_schedule="linear", beta_start=0.0), told(beta_schedule="linear")):
        scheduler.alphas_cumprod = [1.0, 0.9, 0.5, 0.1]
        way = levels(scheduler, 0.5, steps=2)
        assert way.sigmas[-1] == 0.0
        assert way.timesteps[0] > way.timesteps[1] >= 0.0
    assert levels(told(beta_schedule="linear", beta_start=0.0), 0.5, steps=2).sigmas[0] > 0


def test_no_torch_to_plan_a_loop() -> None:
    from tests.test_imports import loaded

    code = (
        "import partway; from types import SimpleNamespace as S; "
        "partway.levels(S(config={'shift': 3.0}), 0.5, steps=4)"
    )
    assert loaded(code) <= {"numpy"}
