"""`partway plan`: what a strength comes to on a model, without loading a network."""

from __future__ import annotations

import click

from partway.families import DEFAULT_MODEL, profile_of, settled
from partway.interfaces.cli import options
from partway.interfaces.cli.dialect import Said
from partway.interfaces.cli.inputs import configured_model, strength_of
from partway.interfaces.cli.report import Reporter, emit
from partway.interfaces.facts import CLEAN, plan_facts
from partway.outline import evaluations_of, plan_request
from partway.plan import describe
from partway.request import EditRequest
from partway.settings import calibrated, calibration_for
from partway.strength import band, strength_at


@click.command("plan")
@options.strength_option
@options.as_option
@options.dial_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    *,
    strength: float | str | None,
    tool: str | None,
    dial: str,
    steps: int | None,
    full_steps: int | None,
    sampler: str | None,
    spacing: str,
    model: str | None,
    as_json: bool,
) -> None:
    """Show where an edit of a strength starts, how many steps it takes and through which levels."""
    profile = profile_of(configured_model(model) or DEFAULT_MODEL)
    said = None if tool is None else Said(tool, strength)
    asked = EditRequest(
        source=b"?",  # a plan with a source; its pixels do not matter
        strength=strength_of(strength, dial, profile) if said is None else None,
        dial=dial,
        steps=steps,
        full_steps=full_steps,
        sampler=sampler,
        spacing=spacing,
    )
    request = calibrated(asked if said is None else said.on(asked, profile), profile)
    Reporter().hints(() if said is None else said.told)
    plan = plan_request(request, profile)
    sampler = settled(request, profile).sampler
    evaluations = evaluations_of(request, profile, plan)
    levels = plan.levels or (CLEAN,)
    if as_json:
        emit(plan_facts(plan, evaluations, profile.name))
        return
    click.echo(f"{plan.strength:g} {plan.dial} on {profile.name}: {describe(plan, evaluations)}")
    expected = band(strength_at(plan.noise_fraction, "standard", calibration_for(profile)[0]))
    lines = {
        "expect": expected,
        "start": f"noise fraction {plan.noise_fraction:.4g}: alpha {levels[0].alpha:.4g}, "
        f"sigma {levels[0].sigma:.4g}, kappa {plan.kappa:.4g}",
        "evaluations": f"{evaluations} ({sampler}, {spacing})",
        "levels": " ".join(f"{level.noise_fraction:.3g}" for level in levels),
    }
    for name, text in lines.items():
        click.echo(f"  {name:<12} {text}")
