"""Our diffusers rules against its schedulers and its own get_timesteps, where installed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from partway.dialects import KINDS, Setting, start_of
from partway.errors import InvalidRequest
from partway.strength import noise_fraction_of

diffusers: Any = pytest.importorskip("diffusers")
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

STEPS = (1, 4, 8, 20, 30, 50)
VALUES = [i / 100 for i in range(1, 101)]
SD1 = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}


def scheduler(sampler: str, kind: str, spacing: str | None) -> Any:
    """As its class makes it for SD 1.x, or with SDXL's file."""
    name = {
        "pndm": "PNDMScheduler",
        "ddim": "DDIMScheduler",
        "euler": "EulerDiscreteScheduler",
        "euler_ancestral": "EulerAncestralDiscreteScheduler",
        "dpmpp_2m": "DPMSolverMultistepScheduler",
        "unipc": "UniPCMultistepScheduler",
    }[sampler]
    more: dict[str, Any] = {}
    if sampler in {"pndm", "ddim"} or kind == "sdxl":
        more["steps_offset"] = 1
    if sampler == "pndm":
        more["skip_prk_steps"] = True
    if kind == "sdxl":
        more["timestep_spacing"] = "leading"
    if spacing == "karras":
        more["use_karras_sigmas"] = True
    if spacing == "exponential":
        more["use_exponential_sigmas"] = True
    return getattr(diffusers, name)(**SD1, **more)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(
    ("sampler", "kind", "spacing"),
    [
        ("pndm", "sd1", None),
        ("ddim", "sd1", None),
        ("euler", "sd1", None),
        ("euler_ancestral", "sd1", None),
        ("dpmpp_2m", "sd1", None),
        ("unipc", "sd1", None),
        ("euler", "sdxl", None),
        ("dpmpp_2m", "sdxl", None),
        ("unipc", "sdxl", None),
        ("dpmpp_2m", "sd1", "karras"),
        ("dpmpp_2m", "sdxl", "karras"),
        ("euler", "sd1", "karras"),
        ("euler", "sd1", "exponential"),
        ("euler", "sdxl", "karras"),
        ("euler_ancestral", "sdxl", None),
    ],
)
def test_stable_diffusion(sampler: str, kind: str, spacing: str | None, steps: int) -> None:
    pipeline = diffusers.StableDiffusionImg2ImgPipeline
    theirs = scheduler(sampler, kind, spacing)
    setting = Setting(steps, KINDS[kind], sampler, spacing)
    for value in VALUES:
        theirs.set_timesteps(steps)
        me = SimpleNamespace(scheduler=theirs)
        times, _ = pipeline.get_timesteps(me, steps, value, "cpu")
        if len(times) == 0:
            with pytest.raises(InvalidRequest, match="none is left"):
                start_of("diffusers", value, setting)
            continue
        start = start_of("diffusers", value, setting)
        assert start.evaluations == len(times), value
        if hasattr(theirs, "sigmas"):
            nsr = float(theirs.sigmas[len(theirs.timesteps) - len(times)])
        else:
            kept = float(theirs.alphas_cumprod[int(times[0])])
            nsr = ((1.0 - kept) / kept) ** 0.5
        assert start.noise_fraction == pytest.approx(noise_fraction_of(nsr), abs=1e-4), value


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("kind", ["flux", "flux-schnell", "sd3", "z-image", "qwen-image"])
def test_flow(kind: str, steps: int) -> None:
    import numpy as np

    ours = KINDS[kind]
    drawn_out = {"shift_terminal": 0.02} if kind == "qwen-image" else {}
    theirs = diffusers.FlowMatchEulerDiscreteScheduler(shift=ours.shift, **drawn_out)
    if drawn_out and steps == 1:
        with pytest.raises(InvalidRequest, match="--steps 2"):  # theirs is no number
            start_of("diffusers", 0.5, Setting(steps, ours))
        return
    for value in VALUES:
        if kind == "sd3":
            theirs.set_timesteps(steps)
        else:
            theirs.set_timesteps(sigmas=np.linspace(1.0, 1.0 / steps, steps))
        me = SimpleNamespace(scheduler=theirs)
        pipeline = diffusers.StableDiffusion3Img2ImgPipeline
        times, _ = pipeline.get_timesteps(me, steps, value, "cpu")
        start = start_of("diffusers", value, Setting(steps, ours))
        assert start.evaluations == len(times), value
        assert start.noise_fraction == pytest.approx(float(times[0]) / 1000.0, abs=1e-4), value
