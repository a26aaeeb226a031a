"""`partway plan`: what a strength comes to on a model, without loading a network."""

from __future__ import annotations

import click

from partway.engine import evaluations_of
from partway.families import DEFAULT_MODEL, profile_of
from partway.interfaces.cli import options
from partway.interfaces.cli.inputs import configured_model
from partway.interfaces.cli.report import emit
from partway.interfaces.facts import CLEAN, plan_facts
from partway.plan import describe, plan_edit
from partway.request import EditRequest
from partway.strength import DEFAULT_STRENGTH, band, strength_at


@click.command("plan")
@options.strength_option
@options.dial_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    *,
    strength: float | None,
    dial: str,
    steps: int | None,
    full_steps: int | None,
    sampler: str,
    spacing: str,
    model: str | None,
    as_json: bool,
) -> None:
    """Show where an edit of a strength starts, how many steps it takes and through which levels."""
    asked = DEFAULT_STRENGTH if strength is None else strength
    profile = profile_of(configured_model(model) or DEFAULT_MODEL)
    if steps is None and full_steps is None:
        full_steps = profile.default_steps
    plan = plan_edit(
        asked,
        profile.schedule,
        dial=dial,
        gain=profile.gain,
        steps=steps,
        full_steps=full_steps,
        spacing=spacing,
    )
    request = EditRequest(sampler=sampler, spacing=spacing)
    evaluations = evaluations_of(request, profile, plan)
    levels = plan.levels or (CLEAN,)
    if as_json:
        emit(plan_facts(plan, evaluations, profile.name))
        return
    click.echo(f"{plan.strength:g} {plan.dial} on {profile.name}: {describe(plan, evaluations)}")
    expected = band(strength_at(plan.noise_fraction, "standard", profile.gain))
    lines = {
        "expect": expected,
        "start": f"noise fraction {plan.noise_fraction:.4g}: alpha {levels[0].alpha:.4g}, "
        f"sigma {levels[0].sigma:.4g}, kappa {plan.kappa:.4g}",
        "evaluations": f"{evaluations} ({sampler}, {spacing})",
        "levels": " ".join(f"{level.noise_fraction:.3g}" for level in levels),
    }
    for name, text in lines.items():
        click.echo(f"  {name:<12} {text}")
