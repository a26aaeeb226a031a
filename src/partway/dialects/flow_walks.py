"""The very levels that diffusers' flow pipelines visit, by a checkpoint's own scheduler.

    flow_walk(config, "flux", 0.6, steps=20, tokens=4096) -> Walk

The sibling of partway.dialects.walks for FLUX, Stable Diffusion 3, Z-Image and Qwen-Image
(huggingface/diffusers 0.42.1, pipelines/*/pipeline_*_img2img.py, pipeline_*_inpaint.py and
schedulers/scheduling_flow_match_euler_discrete.py). They differ in little: the grid, what becomes
of the guidance, and in Stable Diffusion 3's inpainting a shift that is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from partway.dialects.walks import Config, Walk
from partway.errors import InvalidRequest
from partway.schedule import Level
from partway.shift import shift_of

CLASSES = {"FlowMatchEulerDiscreteScheduler": "euler"}
# Settings that would change the walk, and the only values that are followed.
PLAIN = {
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "invert_sigmas": False,
    "stochastic_sampling": False,
}


@dataclass(frozen=True, slots=True)
class Flow:
    """What is a pipeline's own.

    guidance   the argument that guides, where the network is not told itself
    own_ends   the grid runs between the scheduler's own ends, which are then shifted twice
    needs_negative  guidance acts only beside a negative prompt
    added      guidance adds to the prompt's estimate: 1 is ours 2
    most       mu at the larger size where a config does not say
    masked_unshifted  the inpainting pipeline decodes without the autoencoder's shift
    """

    guidance: str = "guidance_scale"
    own_ends: bool = False
    needs_negative: bool = False
    added: bool = False
    most: float = 1.15
    masked_unshifted: bool = False

    def scale(self, asked: float, negative: str) -> float:
        """Our guidance scale for diffusers' number; 1 where it does not act."""
        if asked <= 1.0 or (self.needs_negative and not negative):
            return 1.0
        return asked + 1.0 if self.added else asked

    def theirs(self, scale: float) -> float:
        """Diffusers' number for our guidance scale."""
        return scale - 1.0 if self.added else scale


# By family.
FLOWS = {
    "flux": Flow("true_cfg_scale", needs_negative=True),
    "sd3": Flow(own_ends=True, most=1.16, masked_unshifted=True),
    "z_image": Flow(added=True),
    "qwen_image": Flow("true_cfg_scale", needs_negative=True),
}


def own_sampler(config: Config) -> str:
    """Our name of a scheduler's sampler; InvalidRequest where it is not followed."""
    name = config.get("_class_name")
    if name not in CLASSES:
        raise InvalidRequest(
            f"this checkpoint's scheduler is {name}, which is not followed to the last digit: "
            "name one that is with --sampler, of euler"
        )
    return CLASSES[name]


def first_step(strength: float, steps: int) -> int:
    """Index of the first step: int(N - N * strength); InvalidRequest where none is left."""
    first = int(max(steps - min(steps * strength, steps), 0))
    if first >= steps:
        raise InvalidRequest(
            f"diffusers fails at {strength:g} with {steps} steps: none is left to run; it runs "
            "from just above 0"
        )
    return first


def flow_walk(
    config: Config, family: str, sampler: str, strength: float, steps: int, tokens: int
) -> Walk:
    """The walk of an image-to-image pipeline.

    config  of the scheduler; what it leaves out is the class's default
    family  a name in FLOWS
    tokens  of the picture, 2 × 2 latent positions each
    """
    if sampler != "euler":
        raise InvalidRequest(
            f"flow pipelines of diffusers are followed with --sampler euler, not {sampler}"
        )
    for name, value in PLAIN.items():
        if config.get(name, value) != value:
            raise InvalidRequest(
                f"this checkpoint's scheduler has {name} = {config[name]!r}, which is not followed "
                "to the last digit: leave --as out, or use diffusers"
            )
    first = first_step(strength, steps)
    sigmas = _stretched(_sigmas(config, FLOWS[family], steps, tokens), config.get("shift_terminal"))
    levels = tuple(Level(1.0 - sigma, sigma) for sigma in (*sigmas[first:], 0.0))
    return Walk(levels, 1.0)


def _sigmas(config: Config, flow: Flow, steps: int, tokens: int) -> list[float]:
    """The grid of a whole run without its end: even from 1 to 1 / N, or between own ends."""
    shift = shift_of(config, flow.most)
    factor = shift.at(tokens)

    def shifted(time: float, by: float) -> float:
        return by * time / (1.0 + (by - 1.0) * time)

    if not flow.own_ends:
        return [shifted(1.0 - i / steps, factor) for i in range(steps)]
    least = shifted(1.0 / int(config.get("num_train_timesteps", 1000)), shift.fixed or 1.0)
    shares = [i / max(steps - 1, 1) for i in range(steps)]
    return [shifted(1.0 + share * (least - 1.0), factor) for share in shares]


def _stretched(sigmas: list[float], terminal: float | None) -> list[float]:
    """The grid drawn out so that its last level is `terminal`."""
    if not terminal:
        return sigmas
    rest = 1.0 - sigmas[-1]
    if math.isclose(rest, 0.0):
        raise InvalidRequest(
            "diffusers makes no number of a single step with this checkpoint's scheduler "
            "(shift_terminal): give 2 steps or more"
        )
    return [1.0 - (1.0 - sigma) * (1.0 - terminal) / rest for sigma in sigmas]
