"""What people and other programs call samplers and spacings, for interfaces to resolve.

    resolve_sampler("DPM++ 2M Karras")  ->  "dpmpp_2m", "karras"
    resolve_sampler("k_euler_a")        ->  "euler_ancestral", None
    resolve_spacing("SGM Uniform")      ->  "sgm_uniform"

Case, spaces, dashes and underscores do not matter, and "++" is "pp". Understood are the names of
k-diffusion, A1111, ComfyUI and InvokeAI, and the scheduler classes of diffusers. Requests and files
carry our own names only.
"""

from __future__ import annotations

import re

from partway.errors import UnknownName
from partway.samplers import SAMPLERS
from partway.spacings import SPACINGS

# Squeezed; the registered names themselves come in addition.
SAMPLER_ALIASES = {
    "flowmatcheuler": "euler",
    "eulera": "euler_ancestral",
    "flowmatchheun": "heun",
    "dpm2m": "dpmpp_2m",
    "dpmsolvermultistep": "dpmpp_2m",
    "dpmsolver": "dpmpp_2m",
    "dpm2msde": "dpmpp_2m_sde",
    "dpmsde": "dpmpp_sde",
    "dpmsolversde": "dpmpp_sde",
    "unipcmultistep": "unipc",
    "unipcbh2": "unipc",
}
SPACING_ALIASES = {"trailing": "uniform", "sgm": "sgm_uniform", "expo": "exponential"}
ENDINGS = {"k": "karras"}  # InvokeAI's dpmpp_2m_k
# Parts of names that say nothing more: k_euler, sample_heun, EulerDiscreteScheduler, …_gpu
_PREFIX = re.compile(r"^\s*(?:sample|k)[\s_-]+", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:discrete)?(?:scheduler)?(?:gpu)?$")


def _squeezed(name: str) -> str:
    """Letters and digits alone, in lower case."""
    return re.sub(r"[^a-z0-9]+", "", name.lower().replace("++", "pp"))


_SAMPLERS = {_squeezed(name): name for name in SAMPLERS} | SAMPLER_ALIASES
_SPACINGS = {_squeezed(name): name for name in SPACINGS} | SPACING_ALIASES
# sgm_uniform before uniform
_ENDINGS = sorted((_SPACINGS | ENDINGS).items(), key=lambda entry: -len(entry[0]))


def resolve_sampler(name: str) -> tuple[str, str | None]:
    """The registered name of a sampler, and of the spacing where its name ends in one.

    UnknownName, with the nearest name, for what there is not.
    """
    squeezed = _squeezed(_PREFIX.sub("", name))
    for ending, spacing in (("", None), *_ENDINGS):
        if squeezed.endswith(ending):
            found = _SAMPLERS.get(_SUFFIX.sub("", squeezed.removesuffix(ending)))
            if found is not None:
                return found, spacing
    raise UnknownName("sampler", name, SAMPLERS, like=_spelled(name))


def resolve_spacing(name: str) -> str:
    """The registered name of a spacing; UnknownName, with the nearest name, for what is none."""
    found = _SPACINGS.get(_squeezed(name))
    if found is None:
        raise UnknownName("spacing", name, SPACINGS, like=_spelled(name))
    return found


def _spelled(name: str) -> str:
    """A name in the spelling of ours, to find the nearest."""
    return re.sub(r"[\s_-]+", "_", _PREFIX.sub("", name).strip().lower().replace("++", "pp"))
