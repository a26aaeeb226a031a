"""InvokeAI 8e71a8a5 (2026-08-19): "Denoising Strength", with and without "Optimized Denoising".

The page turns it into denoising_start = 1 - s, or 1 - s^0.2 with the switch, which is on by default
and counts for Flux and SD3 alone (graphBuilderUtils.ts: getDenoisingStartAndEnd). From there:

    SD 1, 2, XL     the first timestep of the grid below round(1000 s)   denoise_latents.py
    Flux, SD3       exactly the noise level 1 - denoising_start          sampling_utils.py
    Z-Image         step int(denoising_start * N)                        z_image_denoise.py
    Qwen-Image      step int(round(denoising_start * N))                 qwen_image_denoise.py
"""

from __future__ import annotations

from partway.dialects.grids import GRIDS
from partway.dialects.rules import Dialect, Setting, Start, below, entered, grid_of

SPACINGS = {"normal": "linspace_up", "uniform": "linspace_up", "karras": "karras"}
MULTISTEP = {"dpmpp_2m", "dpmpp_2m_sde", "unipc"}
OPTIMIZED = {"flux", "flux-schnell", "sd3"}
EXPONENT = 0.2


def invokeai(value: float, setting: Setting) -> Start:
    """The "Denoising Strength" with "Optimized Denoising" on, as it is by default."""
    return _denoise(value**EXPONENT if setting.kind.name in OPTIMIZED else value, setting)


def invokeai_plain(value: float, setting: Setting) -> Start:
    """The "Denoising Strength" with "Optimized Denoising" off."""
    return _denoise(value, setting)


def _denoise(value: float, setting: Setting) -> Start:
    """From 1 - denoising_start; formulas in the module's docstring. 0 returns the source."""
    if not setting.kind.is_flow:
        return _first_below(value, setting)
    if setting.kind.name in OPTIMIZED:
        return _exactly(value, setting)
    step = (1.0 - value) * setting.steps
    first = round(step) if setting.kind.name == "qwen-image" else int(step)
    return entered(GRIDS["flow"], setting.kind, first, setting.steps)


def _first_below(value: float, setting: Setting) -> Start:
    """denoise_latents.py: init_scheduler, t_start_idx = len(timesteps >= t_start)."""
    steps, kind = setting.steps, setting.kind
    default = "linspace_next" if setting.sampler in MULTISTEP else "linspace_up"
    grid = grid_of(setting, SPACINGS, default)
    wanted = round(1000.0 * (1.0 - (1.0 - value)))
    times = (kind.time_of(grid(kind, i, steps)) for i in range(steps))
    if setting.spacing == "karras":  # diffusers rounds the timesteps of DPM-Solver's Karras grid
        times = (float(round(time)) for time in times)
    first = sum(time >= wanted - 1e-6 for time in times)
    return entered(grid, kind, first, steps)


def _exactly(value: float, setting: Setting) -> Start:
    """sampling_utils.py: clip_timestep_schedule_fractional; SD3's grid is not shifted."""
    if value <= 0.0:
        return Start(0.0, 0, setting.steps, setting.steps)
    grid = GRIDS["flow_even" if setting.kind.name == "sd3" else "flow_shifted"]
    first = below(grid, setting.kind, value, setting.steps)
    return Start(value, setting.steps - first, first, setting.steps)


SOURCE = "InvokeAI 8e71a8a5, getDenoisingStartAndEnd"
DIALECTS = {
    "invokeai": Dialect(invokeai, "Denoising Strength", SOURCE, default=0.75),
    "invokeai-plain": Dialect(
        invokeai_plain, "Denoising Strength (not optimized)", SOURCE, default=0.75
    ),
}
