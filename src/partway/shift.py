"""A flow's shift: where the steps of its walks crowd, by the size of the picture.

    noise = shift * time / (1 + (shift - 1) * time)        time and noise in [0, 1]

It multiplies the noise-to-signal ratio of an even grid in time (Esser et al. 2024, Stable Diffusion
3, eq. 23): larger pictures stay recognisable under more noise, so their steps go there. Where an
edit starts is a noise level all the same: a shift moves steps, never strengths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partway.errors import InvalidRequest

TYPES = ("exponential", "linear")


@dataclass(frozen=True, slots=True)
class Shift:
    """What a flow scheduler's config says of it.

    fixed        the factor at any size; None where it depends on the size
    base, most   (tokens, mu) at two sizes: mu is linear in tokens
    exponential  the factor is e^mu, else mu itself
    """

    fixed: float | None = None
    base: tuple[float, float] = (256.0, 0.5)
    most: tuple[float, float] = (4096.0, 1.15)
    exponential: bool = True

    def at(self, tokens: float) -> float:
        """The factor for a picture of so many tokens (2 × 2 latent positions each)."""
        if self.fixed is not None:
            return self.fixed
        (few, low), (many, high) = self.base, self.most
        return self.of(low + (high - low) * (tokens - few) / (many - few))

    def of(self, mu: float) -> float:
        """The factor of a mu; InvalidRequest where that is none."""
        try:
            factor = math.exp(mu) if self.exponential else mu
        except OverflowError:
            factor = math.inf
        if not 0.0 < factor < math.inf:
            raise InvalidRequest(f"mu is {mu}, which gives the shift {factor}: want a positive one")
        return factor


def shift_of(config: Mapping[str, Any], most: float = 1.15) -> Shift:
    """Of a flow scheduler's config (diffusers 0.42.1, FlowMatchEulerDiscreteScheduler).

    most  mu at the larger size where the config does not say
    """
    if not config.get("use_dynamic_shifting", False):
        name = "shift" if "shift" in config else "flow_shift"
        fixed = float(config.get(name) or 1.0)
        if not 0.0 < fixed < math.inf:
            raise InvalidRequest(f"the scheduler has the {name} {fixed}: want a positive one")
        return Shift(fixed=fixed)
    kind = config.get("time_shift_type", "exponential")
    if kind not in TYPES:
        raise InvalidRequest(f"time_shift_type is {kind!r}, known are {', '.join(TYPES)}")
    return Shift(
        base=(float(config.get("base_image_seq_len", 256)), float(config.get("base_shift", 0.5))),
        most=(float(config.get("max_image_seq_len", 4096)), float(config.get("max_shift", most))),
        exponential=kind == "exponential",
    )
