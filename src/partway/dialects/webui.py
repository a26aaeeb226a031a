"""The web UIs of AUTOMATIC1111's line: A1111 and Forge, their hires fix, SD.Next.

    t_enc = int(min(s, 0.999) * N)                        modules/sd_samplers_common.py:
    sigmas[N - t_enc - 1:], t_enc + 1 evaluations         setup_img2img_steps

Hires fix always, and img2img with the setting "do exactly the amount of steps the slider
specifies", take N steps of a schedule of int(N / min(s, 0.999)). Nothing here is the identity at 0.
"""

from __future__ import annotations

from partway.dialects.diffusers import diffusers
from partway.dialects.rules import Dialect, Setting, Start, entered, grid_of

SPACINGS = {
    "uniform": "linspace",
    "normal": "linspace",
    "karras": "karras",
    "exponential": "exponential",
    "sgm_uniform": "sgm_uniform",
    "simple": "simple",
}
# Schedule type "Automatic": modules/sd_samplers_kdiffusion.py, samplers_k_diffusion
AUTOMATIC = {"dpmpp_2m": "karras", "dpmpp_sde": "karras", "dpmpp_2m_sde": "exponential"}


def _entered(setting: Setting, step: int, length: int) -> Start:
    default = (
        "linspace" if setting.kind.is_flow else AUTOMATIC.get(setting.sampler or "", "linspace")
    )
    return entered(grid_of(setting, SPACINGS, default), setting.kind, step, length)


def a1111(value: float, setting: Setting) -> Start:
    """The "Denoising strength" of img2img; formula in the module's docstring.

    044494d9; Forge dfdcbab6 has the same. From (N - 1) / N on, all values are 1. DDIM and PLMS
    (sd_samplers_timesteps.py) noise to timestep t_enc (1000 // N) + 1 and run t_enc - 1 steps.
    """
    steps, kind = setting.steps, setting.kind
    encoded = int(min(value, 0.999) * steps)
    if setting.sampler in {"ddim", "pndm"} and not kind.is_flow:
        time = min(encoded * (len(kind.table) // steps) + 1, kind.top_time)
        return Start(kind.at_time(time), max(encoded - 1, 0), steps - encoded, steps)
    return _entered(setting, steps - encoded - 1, steps)


def a1111_hires(value: float, setting: Setting) -> Start:
    """The "Denoising strength" of hires fix, and of img2img with `img2img_fix_steps`.

    044494d9. Enters the last N steps of int(N / min(s, 0.999)); at 0 nothing is run.
    """
    if value <= 0.0:
        return Start(0.0, 0, 0, 0)
    length = int(setting.steps / min(value, 0.999))
    return _entered(setting, length - setting.steps, length)


def sdnext(value: float, setting: Setting) -> Start:
    """The "Denoising strength" of SD.Next, on top of diffusers' rule.

    058a7f0c, modules/processing_helpers.py: calculate_base_steps. SD and SDXL run N // s + 1 steps
    at that strength, about N evaluations; other models N, which are N s evaluations. Leading
    spacing.
    """
    if setting.kind.is_flow:
        return diffusers(value, setting)
    if value <= 0.0:
        return Start(0.0, 0, 0, 0)
    length = int(setting.steps // value) + 1
    first = length - min(int(length * value), length)
    return entered(grid_of(setting, {}, "leading"), setting.kind, first, length)


A1111 = "AUTOMATIC1111 044494d9, setup_img2img_steps"
DIALECTS = {
    "a1111": Dialect(a1111, "Denoising strength", A1111, default=0.75),
    "forge": Dialect(
        a1111, "Denoising strength", "Forge dfdcbab6, setup_img2img_steps", default=0.75
    ),
    "a1111-hires": Dialect(a1111_hires, "Denoising strength (hires)", A1111, default=0.7),
    "sdnext": Dialect(
        sdnext, "Denoising strength", "SD.Next 058a7f0c, calculate_base_steps", default=0.3
    ),
}
