"""The number to type in other programs for what a strength does here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from partway.dialects import DEFAULT_KIND, Setting, convert, get_kind
from partway.errors import UserError
from partway.strength import noise_fraction_of, nsr_of

# Name for people → dialect; those whose inverse is quick enough for a dial that turns.
PROGRAMS = {"A1111": "a1111", "ComfyUI": "comfyui", "diffusers": "diffusers"}
STEPS = 20  # in those programs
NEAR = 0.02  # noise fraction: what starts further away is said to


@lru_cache(maxsize=4096)
def elsewhere(noise_fraction: float, gain: float) -> tuple[dict[str, Any], ...]:
    """What the programs call it, on Stable Diffusion 1.x with 20 steps.

    noise_fraction  where an edit starts, 0 … 1
    gain            of the model it starts on: it is taken out, since theirs has none
    """
    level = noise_fraction_of(nsr_of(noise_fraction) / gain)
    setting = Setting(STEPS, get_kind(DEFAULT_KIND), None, None)
    found: list[dict[str, Any]] = []
    for program, name in PROGRAMS.items():
        try:
            match = convert(level, name, setting)
        except UserError:
            continue  # it has no value for this level
        near = abs(match.away) <= NEAR
        found.append({"program": program, "value": round(match.value, 3), "near": near})
    return tuple(found)
