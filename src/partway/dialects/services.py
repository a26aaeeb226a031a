"""Closed services: name, range and direction are documented, the formula is not.

All are approximate. They are read as a share of the schedule, without rounding: an edit of share c
starts at model time c and runs about N c steps. Replicate's cog-flux is open, and its rule is used.
"""

from __future__ import annotations

from partway.dialects.grids import GRIDS
from partway.dialects.rules import Dialect, Rule, Setting, Start, entered


def _share(change: float, setting: Setting) -> Start:
    """Start at a share of the schedule; 0 keeps, 1 ignores the source."""
    steps, kind = setting.steps, setting.kind
    if change <= 0.0:
        return Start(0.0, 0, steps, steps)
    level = kind.shifted(change) if kind.is_flow else kind.at_time(len(kind.table) * change)
    evaluations = max(round(steps * change), 1)
    return Start(1.0 if change >= 1.0 else level, evaluations, steps - evaluations, steps)


def _keeping(most: float) -> Rule:
    """Of a control whose high end keeps the source: change = 1 - value / most."""

    def rule(value: float, setting: Setting) -> Start:
        return _share(1.0 - value / most, setting)

    return rule


def replicate(value: float, setting: Setting) -> Start:
    """`prompt_strength`. Of Flux: step int((1 - s) * N), as replicate/cog-flux, predict.py."""
    if not setting.kind.is_flow:
        return _share(value, setting)
    first = int((1.0 - value) * setting.steps)
    return entered(GRIDS["flow"], setting.kind, first, setting.steps)


DIALECTS = {
    "replicate": Dialect(
        replicate, "prompt_strength", "replicate.com, cog-flux", default=0.8, approximate=True
    ),
    "stability": Dialect(
        _share, "strength", "Stability v2beta REST documentation", approximate=True
    ),
    "stability-v1": Dialect(
        _keeping(1.0),
        "image_strength",
        "Stability v1 REST documentation",
        default=0.35,
        inverted=True,
        approximate=True,
    ),
    "novelai": Dialect(
        _share,
        "strength",
        "ComfyUI_NAIDGenerator's documentation",
        low=0.01,
        high=0.99,
        default=0.7,
        approximate=True,
    ),
    "leonardo": Dialect(
        _keeping(1.0),
        "init_strength",
        "Leonardo's documentation",
        low=0.1,
        high=0.9,
        default=0.5,
        inverted=True,
        approximate=True,
    ),
    "ideogram": Dialect(
        _keeping(100.0),
        "image_weight",
        "Ideogram's documentation",
        low=1.0,
        high=100.0,
        default=50.0,
        inverted=True,
        approximate=True,
    ),
}
