"""Partway's own number, beside the others: dial `standard` without a model's gain."""

from __future__ import annotations

from partway.dialects.rules import Dialect, Setting, Start
from partway.plan import plan_edit
from partway.schedule import Schedule, discrete_vp


def partway(value: float, setting: Setting) -> Start:
    """`--strength` with `--full-steps` N: exactly the dial's level (partway.strength)."""
    schedule = Schedule() if setting.kind.is_flow else discrete_vp(setting.kind.table)
    plan = plan_edit(value, schedule, full_steps=setting.steps)
    intervals = plan.intervals
    return Start(plan.noise_fraction, intervals, setting.steps - intervals, setting.steps)


DIALECTS = {"partway": Dialect(partway, "--strength", "partway.plan", default=0.5)}
