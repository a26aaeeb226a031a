"""From a strength to the exact levels an edit will visit.

    strength ──dial──► start noise fraction ──steps, spacing──► levels (strictly falling, last 0)

Nothing is rounded to a grid: the first level is the asked one, whatever the step count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from partway.errors import InvalidRequest
from partway.schedule import Level, Schedule
from partway.spacings import get_spacing
from partway.strength import DEFAULT_DIAL, nsr_of, start_noise_fraction

if TYPE_CHECKING:
    from partway.calibration import Curve

MAX_STEPS = 1000
# Grid points closer than this to the start are the start: a shorter first interval would be lost
# in float32 anyway.
SAME_LEVEL = 1e-6


@dataclass(frozen=True, slots=True)
class Plan:
    """What strength, steps and spacing come to on one model.

    strength        as asked, 0 … 1
    dial            its dial
    noise_fraction  asked start level; 0 returns the source, 1 is pure noise
    levels          levels from the start to no noise; empty at strength 0
    kappa           0 … 1, factor on the source at the start. 1 inside the model's range; beyond
                    its top level, x = kappa * alpha * x0 + sigma * eps meets the asked level
    full_steps      length of the full run whose grid the levels belong to; None with exact steps
    """

    strength: float
    dial: str
    noise_fraction: float
    levels: tuple[Level, ...]
    kappa: float
    full_steps: int | None

    @property
    def intervals(self) -> int:
        """Number of steps the sampler takes."""
        return max(len(self.levels) - 1, 0)


def check_steps(name: str, steps: int) -> int:
    """Return `steps` if it is a whole number in 1 … 1000; InvalidRequest otherwise."""
    if not 1 <= steps <= MAX_STEPS:
        raise InvalidRequest(f"{name} is {steps}, allowed is 1 … {MAX_STEPS}; try --{name} 20")
    return steps


def plan_edit(
    strength: float,
    schedule: Schedule,
    *,
    dial: str = DEFAULT_DIAL,
    gain: float = 1.0,
    curve: Curve | None = None,
    steps: int | None = None,
    full_steps: int | None = None,
    spacing: str = "uniform",
) -> Plan:
    """Plan an edit of `strength` on a model with `schedule`.

    gain, curve the model's, for the dials that read them
    steps       exactly this many intervals from the start to 0, at any strength
    full_steps  the density of a full run of this many: the edit walks that run's own grid from
                the start down, its first interval fractional (default: 20)

    Any strength > 0 gives at least one interval; strength 0 gives none.
    """
    if steps is not None and full_steps is not None:
        raise InvalidRequest("give --steps or --full-steps, not both")
    asked = start_noise_fraction(strength, dial, gain, curve)
    if steps is None:
        full_steps = check_steps("full-steps", 20 if full_steps is None else full_steps)
    if asked == 0.0:
        return Plan(strength, dial, 0.0, (), 1.0, full_steps)

    start = min(asked, schedule.top)
    kappa = 1.0 if asked <= schedule.top else _kappa(asked, schedule.top)
    walk = get_spacing(spacing)
    if steps is not None:
        fractions = walk(schedule, start, check_steps("steps", steps))
    else:
        grid = walk(schedule, schedule.top, full_steps or 20)
        fractions = [start, *(g for g in grid if g < start - SAME_LEVEL)]
        if len(fractions) == 1:  # starts below the last grid point above 0
            fractions.append(0.0)
    levels = tuple(schedule.level(fraction) for fraction in fractions)
    return Plan(strength, dial, asked, levels, kappa, full_steps)


def _kappa(asked: float, top: float) -> float:
    """Factor on the source that reaches `asked` from the model's `top`; 0 at pure noise."""
    nsr = nsr_of(asked)
    return 0.0 if math.isinf(nsr) else nsr_of(top) / nsr


def describe(plan: Plan, evaluations: int) -> str:
    """The plan in words: "9 of 20 steps, the first 11 replaced by your picture (58 % noise)"."""
    if plan.noise_fraction == 0.0:
        return "0 steps: your picture, unchanged"
    noise = f"{100 * plan.noise_fraction:.0f} % noise"
    extra = "" if evaluations == plan.intervals else f", {evaluations} evaluations"
    if plan.noise_fraction == 1.0:
        return f"all {plan.intervals} steps from pure noise{extra}: your picture is ignored"
    if plan.full_steps is None:
        steps = "1 step" if plan.intervals == 1 else f"{plan.intervals} steps"
        return f"{steps} from your picture ({noise}){extra}"
    replaced = plan.full_steps - plan.intervals
    first = "the first" if replaced == 1 else f"the first {replaced}"
    middle = f"{first} replaced by" if replaced else "starting from"
    return f"{plan.intervals} of {plan.full_steps} steps, {middle} your picture ({noise}){extra}"
