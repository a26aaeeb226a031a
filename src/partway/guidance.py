"""Classifier-free guidance as a value: how strongly the prompt pulls, and at which levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from partway.errors import InvalidRequest

if TYPE_CHECKING:
    from partway.schedule import Level

MAX_SCALE = 100.0


@dataclass(frozen=True, slots=True)
class Guidance:
    """x0 = x0_negative + scale * (x0_condition - x0_negative) (Ho & Salimans 2022).

    scale     1 is off and costs one row of a network call; anything else costs two
    interval  noise fractions (low, high) between which it acts (Kynkäänniemi et al. 2024)
    norm_patch  side in positions of the patches in which the condition's velocity keeps its norm;
              0 leaves it as it comes
    """

    scale: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)
    norm_patch: int = 0

    def __post_init__(self) -> None:
        low, high = self.interval
        if not 0.0 <= low <= high <= 1.0:
            raise InvalidRequest(
                f"guidance interval is {low}:{high}, allowed is 0 ≤ low ≤ high ≤ 1 "
                "in noise fractions; try 0.2:0.9"
            )
        if not (math.isfinite(self.scale) and 0.0 <= self.scale <= MAX_SCALE):
            raise InvalidRequest(
                f"guidance is {self.scale}, allowed is 0 … {MAX_SCALE:g}; try --guidance 3"
            )

    def acts_at(self, level: Level) -> bool:
        """Whether the negative condition is needed at `level`."""
        low, high = self.interval
        return self.scale != 1.0 and low <= level.noise_fraction <= high
