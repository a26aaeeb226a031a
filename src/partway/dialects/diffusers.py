"""huggingface/diffusers 0.42.1: `strength` of its img2img and inpaint pipelines.

Stable Diffusion 1, 2 and XL round the number of evaluations down, the flow models the start:

    k = N - int(N * strength)               pipeline_stable_diffusion_img2img.py: get_timesteps
    k = int(N - min(N * strength, N))       pipeline_flux_img2img.py: get_timesteps

No step left is an error. At 1, image-to-image still mixes the source in; inpainting does not.
"""

from __future__ import annotations

from partway.dialects.grids import GRIDS, Grid, exponential_between, karras_between
from partway.dialects.kinds import Kind
from partway.dialects.rules import (
    Dialect,
    Setting,
    Start,
    entered,
    float32,
    grid_of,
    nothing_left,
)
from partway.errors import InvalidRequest
from partway.strength import noise_fraction_of, nsr_of

BENT = {"karras": karras_between, "exponential": exponential_between}
MULTISTEP = {"dpmpp_2m", "dpmpp_2m_sde", "unipc"}  # their grids have one point more
LCM_STEPS = 50  # original_inference_steps


def grid_for(setting: Setting) -> Grid:
    """Of a scheduler class with its default spacing, or of SDXL's file, which asks for leading.

    Karras and exponential run between the ends of the whole table in the multistep schedulers,
    between those of the other spacing's grid elsewhere.
    """
    if setting.kind.is_flow:
        return grid_of(setting, {}, "flow")
    multistep = setting.sampler in MULTISTEP
    is_leading = setting.kind.leading or setting.sampler == "ddim"
    plain = ("leading" if is_leading else "linspace") + "_next" * multistep
    plain = "linspace_up" if plain == "linspace" else plain
    known = {"normal": "linspace_next" if multistep else "linspace_up"}
    known |= {name: name for name in BENT} if setting.sampler != "ddim" else {}
    grid = grid_of(setting, known, plain)
    if multistep or setting.spacing not in BENT:
        return grid
    base, between = GRIDS[plain], BENT[setting.spacing]

    def bent(kind: Kind, i: int, n: int) -> float:
        high, low = nsr_of(base(kind, 0, n)), nsr_of(base(kind, n - 1, n))
        return noise_fraction_of(between(high, low, i, n))

    return bent


def diffusers(value: float, setting: Setting) -> Start:
    """`strength`: floor of the evaluations for SD 1, 2, XL; ceiling for flow models.

    With SD 1.x's own scheduler, PNDM (the default here), one evaluation more: its second timestep
    stands there twice. The remaining formula is in the module's docstring.
    """
    steps, kind = setting.steps, setting.kind
    if kind.is_flow:
        first = int(max(steps - min(steps * value, steps), 0))
        if first >= steps:
            raise nothing_left("diffusers", value, setting)
        return entered(grid_for(setting), kind, first, steps)
    first = max(steps - min(int(steps * value), steps), 0)
    own = None if kind.leading else "pndm"
    if (setting.sampler or own) == "pndm" and setting.spacing is None:
        length = steps + 1 if steps > 1 else 1
        if first >= length:
            raise nothing_left("diffusers", value, setting)
        fraction = grid_of(setting, {}, "pndm")(kind, first, steps)
        return Start(fraction, length - first, first, steps)
    if first >= steps:
        raise nothing_left("diffusers", value, setting)
    return entered(grid_for(setting), kind, first, steps)


def diffusers_inpaint(value: float, setting: Setting) -> Start:
    """`strength` of the inpaint pipelines: as img2img, but that exactly 1 is pure noise.

    pipeline_stable_diffusion_inpaint.py: is_strength_max = strength == 1.0.
    """
    start = diffusers(value, setting)
    if value != 1.0:
        return start
    return Start(1.0, start.evaluations, start.step, start.length)


def diffusers_lcm(value: float, setting: Setting) -> Start:
    """`strength` of LatentConsistencyModelImg2ImgPipeline: N evaluations below a timestep.

    schedulers/scheduling_lcm.py: set_timesteps. t = int(50 * strength) * 20 - 1; fewer than N
    points below it are an error.
    """
    kind = setting.kind
    if kind.is_flow:
        raise InvalidRequest("diffusers-lcm is for sd1 and sdxl; try --model-kind sd1")
    points = int(LCM_STEPS * value)
    if points // setting.steps < 1:
        raise InvalidRequest(
            f"diffusers fails at {value:g} with {setting.steps} steps: its LCM pipeline has only "
            f"{points} timesteps below it; it runs from {setting.steps / LCM_STEPS:g} on"
        )
    time = points * (len(kind.table) // LCM_STEPS) - 1
    return Start(kind.at_time(time), setting.steps, 0, setting.steps)


def openvino(value: float, setting: Setting) -> Start:
    """`strength` of OpenVINO GenAI's Image2ImagePipeline: diffusers' two rules, in float32.

    openvino.genai da1db864 (2026-08-21), image_generation/schedulers/*.cpp: set_timesteps. The
    length kept is min(size_t(N * strength), N); flow models keep the ceiling.
    """
    steps, kind = setting.steps, setting.kind
    product = float32(steps * float32(value))
    if kind.is_flow:
        first = int(max(float32(steps - min(product, steps)), 0.0))
    else:
        first = steps - min(int(product), steps)
    if first >= steps:
        raise nothing_left("OpenVINO GenAI", value, setting)
    if kind.is_flow:
        return entered(grid_of(setting, {}, "flow"), kind, first, steps)
    return entered(grid_of(setting, {}, "leading"), kind, first, steps)


SOURCE = "diffusers 0.42.1, get_timesteps"
DIALECTS = {
    "diffusers": Dialect(diffusers, "strength", SOURCE, default=0.8),
    "diffusers-inpaint": Dialect(diffusers_inpaint, "strength", SOURCE, default=1.0),
    "diffusers-lcm": Dialect(
        diffusers_lcm, "strength", "diffusers 0.42.1, LCMScheduler.set_timesteps", default=0.8
    ),
    "openvino": Dialect(openvino, "strength", "openvino.genai da1db864", default=0.8),
}
