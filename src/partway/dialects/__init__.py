"""Dialects: what a strength means in other programs.

    start_of("a1111", 0.6, setting)          -> where that starts and what it runs
    convert(start, "comfyui", setting)       -> the values of another program that start there

A dialect is a rule, copied down to its rounding from the version of the source its docstring names:
value, steps, sampler, spacing and kind of model in; start level and evaluations out. Levels are
compared as noise fractions, see partway.strength. No model, no network, no torch.
"""

from __future__ import annotations

from partway.dialects import comfyui, diffusers, invokeai, native, own, services, webui
from partway.dialects.inverse import Match, invert
from partway.dialects.kinds import DEFAULT_KIND, KINDS, Kind, get_kind, kind_of
from partway.dialects.rules import Dialect, Setting, Start
from partway.errors import InvalidRequest, UnknownName
from partway.plan import MAX_STEPS

__all__ = [
    "DEFAULT_KIND",
    "DIALECTS",
    "KINDS",
    "Dialect",
    "Kind",
    "Match",
    "Setting",
    "Start",
    "convert",
    "get_dialect",
    "get_kind",
    "kind_of",
    "parse_value",
    "start_of",
]

DIALECTS: dict[str, Dialect] = {
    **own.DIALECTS,
    **diffusers.DIALECTS,
    **webui.DIALECTS,
    **comfyui.DIALECTS,
    **invokeai.DIALECTS,
    **native.DIALECTS,
    **services.DIALECTS,
}
ALIASES = {
    "automatic1111": "a1111",
    "webui": "a1111",
    "comfy": "comfyui",
    "invoke": "invokeai",
    "swarm": "swarmui",
    "sd.cpp": "sdcpp",
    "stable-diffusion.cpp": "sdcpp",
    "draw-things": "drawthings",
    "sd.next": "sdnext",
    "openvino-genai": "openvino",
}


def get_dialect(name: str) -> Dialect:
    """Look a program up; UnknownName lists them."""
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    key = ALIASES.get(key, key)
    if key not in DIALECTS:
        raise UnknownName("program", name, DIALECTS)
    return DIALECTS[key]


def parse_value(dialect: Dialect, text: str) -> float:
    """A value as typed: 0.6, 60% or one of the program's words."""
    word = text.strip().lower().replace(",", ".")
    if word in dialect.words:
        return dialect.words[word]
    try:
        return float(word[:-1]) / 100 * dialect.high if word.endswith("%") else float(word)
    except ValueError as error:
        words = f" or one of {', '.join(dialect.words)}" if dialect.words else ""
        raise InvalidRequest(
            f"{dialect.control} is {text!r}, want a number from {dialect.low:g} to "
            f"{dialect.high:g}{words}; try {dialect.low + 0.45 * (dialect.high - dialect.low):g}"
        ) from error


def start_of(name: str, value: float, setting: Setting) -> Start:
    """Where a program starts; InvalidRequest outside its range and where it fails."""
    _check(setting)
    return get_dialect(name).start(value, setting)


def convert(noise_fraction: float, name: str, setting: Setting) -> Match:
    """The values of a program that start at a noise fraction, or as near as any does."""
    _check(setting)
    return invert(get_dialect(name), setting, noise_fraction)


def _check(setting: Setting) -> None:
    if not 1 <= setting.steps <= MAX_STEPS:
        raise InvalidRequest(
            f"steps is {setting.steps}, allowed is 1 … {MAX_STEPS}; try --steps 20"
        )
