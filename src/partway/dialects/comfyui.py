"""ComfyUI and what runs on it: KSampler's denoise, Fooocus, SwarmUI, Krita AI Diffusion.

KSampler and Fooocus always run N steps, the last ones of a longer schedule:

    int(N / denoise) steps, of which the last N + 1 levels     comfy/samplers.py: set_steps

SwarmUI and Krita skip the first ones of N.
"""

from __future__ import annotations

import math
from dataclasses import replace

from partway.dialects.grids import Grid
from partway.dialects.kinds import GROWING
from partway.dialects.rules import Dialect, Setting, Start, entered, grid_of
from partway.errors import InvalidRequest

SPACINGS = {
    "normal": "linspace",
    "uniform": "linspace",
    "simple": "simple",
    "karras": "karras",
    "exponential": "exponential",
    "sgm_uniform": "sgm_uniform",
}
LEAST_STEPS = 4  # Krita's
SHIFT = math.exp(1.15)


def _here(setting: Setting) -> Setting:
    """With the shift that flows have here, the same at every size where diffusers' grows with it.

    ComfyUI v0.3.64, comfy/model_sampling.py: ModelSamplingFlux, and comfy/supported_models.py:
    Flux, QwenImage.
    """
    kind = setting.kind
    own = replace(kind, shift=SHIFT) if kind.name in GROWING else kind
    return replace(setting, kind=own)


def _grid(setting: Setting) -> Grid:
    return grid_of(setting, SPACINGS, "simple" if setting.kind.is_flow else "linspace")


def _last_of_longer(value: float, setting: Setting, grid: Grid) -> Start:
    length = int(setting.steps / value)
    return entered(grid, setting.kind, length - setting.steps, length)


def comfyui(value: float, setting: Setting) -> Start:
    """`denoise` of KSampler; formula in the module's docstring.

    ComfyUI v0.3.64 (a125cd84), KSampler.set_steps. 0 returns the latents untouched; above 0.9999
    the whole schedule. Scheduler "normal" where none is named, "simple" for flow models.
    """
    setting = _here(setting)
    if value <= 0.0:
        return Start(0.0, 0, 0, 0)
    if value > 0.9999:
        return entered(_grid(setting), setting.kind, 0, setting.steps)
    return _last_of_longer(value, setting, _grid(setting))


def fooocus(value: float, setting: Setting) -> Start:
    """Denoising strength of Fooocus, or "subtle", "strong", "upscale", its words for 0.5, 0.85,
    0.382.

    59f183ab (2025-01-24), ldm_patched/modules/samplers.py: as KSampler, but that 0 divides by zero;
    Karras by default.
    """
    if setting.kind.is_flow:
        raise InvalidRequest("Fooocus runs SDXL models; try --model-kind sdxl")
    if value <= 0.0:
        raise InvalidRequest("Fooocus fails at 0: it divides the steps by it; try 0.05")
    grid = grid_of(setting, SPACINGS, "karras")
    if value > 0.9999:
        return entered(grid, setting.kind, 0, setting.steps)
    return _last_of_longer(value, setting, grid)


def swarmui(value: float, setting: Setting) -> Start:
    """The "Init Image Creativity" of SwarmUI: start_at_step = round(N (1 - creativity)).

    062407c7 (2026-08-21), WorkflowGenerator.cs; C# rounds halves to even, as Python. 0 runs
    nothing.
    """
    setting = _here(setting)
    first = round(setting.steps * (1.0 - value))
    return entered(_grid(setting), setting.kind, first, setting.steps)


def krita(value: float, setting: Setting) -> Start:
    """The "Strength" of Krita AI Diffusion, as 0.45 for its 45 %.

    0217cd21 (2026-08-22), workflow.py: apply_strength. start = round(N (1 - s)); where fewer than 4
    steps remain, floor(4 / s) steps of which the last 4. Karras.
    """
    setting = _here(setting)
    steps = setting.steps
    if value <= 0.0:
        raise InvalidRequest("Krita's strength is 1 … 100 %: there is no 0; try 0.01")
    first = round(steps * (1.0 - value))
    if steps - first < LEAST_STEPS:
        steps = math.floor(LEAST_STEPS / value)
        first = steps - LEAST_STEPS
    default = "simple" if setting.kind.is_flow else "karras"
    return entered(grid_of(setting, SPACINGS, default), setting.kind, first, steps)


DIALECTS = {
    "comfyui": Dialect(
        comfyui, "denoise", "ComfyUI v0.3.64 (a125cd84), KSampler.set_steps", default=1.0
    ),
    "fooocus": Dialect(
        fooocus,
        "denoising strength",
        "Fooocus 59f183ab, KSampler.set_steps",
        words={"subtle": 0.5, "strong": 0.85, "upscale": 0.382},
    ),
    "swarmui": Dialect(
        swarmui, "Init Image Creativity", "SwarmUI 062407c7, WorkflowGenerator", default=0.6
    ),
    "krita": Dialect(krita, "Strength", "krita-ai-diffusion 0217cd21, apply_strength", default=1.0),
}
