"""Options that several commands share, as decorators.

Parameters carry the names of EditRequest's fields, so that what `edit_options` collects goes into
a request as it is. Ranges are checked by the request itself: one message, whatever the surface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from partway.errors import InvalidRequest
from partway.interfaces.cli.values import (
    SPACING_OF_NAME,
    Interval,
    Registered,
    SamplerName,
    Seed,
    SpacingName,
    Strength,
)
from partway.request import DEFAULT_SAMPLER, DEFAULT_SPACING, PRECISIONS, RUNTIMES
from partway.samplers import SAMPLERS
from partway.spacings import SPACINGS
from partway.strength import DEFAULT_DIAL, DEFAULT_STRENGTH, DIALS

F = TypeVar("F", bound=Callable[..., Any])


def _spacing(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """What --spacing says, else what the sampler's name says; InvalidRequest where they differ."""
    del param
    named: str | None = ctx.meta.get(SPACING_OF_NAME)
    if value is not None and named is not None and value != named:
        raise InvalidRequest(
            f"the sampler's name says spacing {named}, --spacing says {value}: leave one out"
        )
    return value or named or DEFAULT_SPACING


def _all(function: F, options: Iterable[Callable[[F], F]]) -> F:
    """Apply decorators so that --help lists them in this order."""
    for option in reversed(list(options)):
        function = option(function)
    return function


def dial_options(function: F) -> F:
    """--dial, --steps, --full-steps, --sampler, --spacing, --model: what a plan depends on."""
    return _all(
        function,
        (
            click.option(
                "--dial",
                type=Registered("dial", DIALS),
                default=DEFAULT_DIAL,
                show_default=True,
                help="How strength is read.",
            ),
            click.option("--steps", type=int, help="Exactly this many steps, at any strength."),
            click.option(
                "--full-steps",
                type=int,
                help="Density of a full run of so many; an edit takes its share of them. "
                "[default: the model's own]",
            ),
            click.option(
                "--sampler",
                type=SamplerName("sampler", SAMPLERS),
                is_eager=True,
                help="How each step is computed; other programs' names work too, also with a "
                f'spacing: "DPM++ 2M Karras". [default: {DEFAULT_SAMPLER}, or the model\'s own]',
            ),
            click.option(
                "--spacing",
                type=SpacingName("spacing", SPACINGS),
                callback=_spacing,
                help="How the steps share the way down. "
                f"[default: that of the sampler's name, else {DEFAULT_SPACING}]",
            ),
            click.option(
                "-m",
                "--model",
                metavar="MODEL",
                help="Checkpoint to run: a name of `partway models`, a folder, a .safetensors or "
                "OWNER/NAME on the hub. [default: from the settings, else by what the source is]",
            ),
        ),
    )


def edit_options(function: F) -> F:
    """Everything of an EditRequest but its source, prompt, strength, seed and size."""
    function = _all(
        function,
        (
            click.option(
                "--style",
                "styles",
                multiple=True,
                metavar="NAME|FILE",
                help="Take the manner of a picture, instead of a prompt: offline, for photographs; "
                "see `partway styles`. May be given several times.",
            ),
            click.option(
                "--keep-colors",
                is_flag=True,
                help="With --style: only light and texture change, hues stay.",
            ),
            click.option(
                "--recolor",
                is_flag=True,
                help="With --style: its palette whole at any strength; the rest follows the dial.",
            ),
            click.option(
                "--lora",
                "loras",
                multiple=True,
                metavar="FILE[:WEIGHT]",
                help="A LoRA on top of the checkpoint, as film.safetensors:0.8; may be given "
                "several times.",
            ),
            click.option(
                "-n",
                "--negative-prompt",
                default="",
                metavar="TEXT",
                help="What to steer away from.",
            ),
            click.option(
                "--cfg-scale",
                "--guidance",
                "guidance_scale",
                type=float,
                help="Weight of the prompt; 1 is off. [default: the model's own]",
            ),
            click.option(
                "--guidance-interval",
                type=Interval(),
                default=(0.0, 1.0),
                help="Noise fractions between which guidance acts. [default: 0:1]",
            ),
            click.option(
                "--true-cfg-scale",
                type=float,
                default=1.0,
                show_default=True,
                help="Weight of the prompt against the negative one, beside a guidance that the "
                "model has built in (FLUX.1 dev), at twice the evaluations; 1 is off.",
            ),
            click.option(
                "--precision",
                type=Registered("precision", PRECISIONS),
                default="auto",
                show_default=True,
                help="Of the network; auto is bf16 where the processor computes in it.",
            ),
            click.option(
                "--runtime",
                type=Registered("runtime", RUNTIMES),
                default="auto",
                show_default=True,
                help="openvino converts a checkpoint's networks for the CPU; auto is torch.",
            ),
        ),
    )
    return dial_options(function)


def seed_options(function: F) -> F:
    """--seed, repeatable, and --batch-count."""
    return _all(
        function,
        (
            click.option(
                "--seed",
                "seeds",
                type=Seed(),
                multiple=True,
                default=(1,),
                help="Of the noise; may be given several times. [default: 1]",
            ),
            click.option(
                "-b",
                "--batch-count",
                type=click.IntRange(1, 1000),
                default=1,
                show_default=True,
                help="So many pictures, with consecutive seeds.",
            ),
        ),
    )


def output_options(function: F) -> F:
    """--quality, --keep-gps, --no-metadata, --force, --json and --quiet."""
    return _all(
        function,
        (
            click.option(
                "--quality",
                type=int,
                help="Of .jpg, .webp and .avif: 1 (smallest file) to 100. "
                "[default: 95, lossless, 90]",
            ),
            click.option(
                "--keep-gps",
                is_flag=True,
                help="Results tell the place the source was taken at, if it does.",
            ),
            click.option(
                "--no-metadata",
                is_flag=True,
                help="Write nothing into the files about how they were made.",
            ),
            click.option("--force", is_flag=True, help="Overwrite files that -o names."),
            click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout."),
            click.option("-q", "--quiet", is_flag=True, help="Only errors on stderr."),
        ),
    )


def strength_option(function: F) -> F:
    """--strength, the dial."""
    return click.option(
        "-s",
        "--strength",
        type=Strength(),
        help=f"0 keeps the source, 1 ignores it. [default: {DEFAULT_STRENGTH}]",
    )(function)


def as_option(function: F) -> F:
    """--as, whose number --strength is."""
    return click.option(
        "--as",
        "tool",
        metavar="TOOL",
        help="--strength and --steps are those of another program, read by its own rule: a1111, "
        "comfyui, diffusers, …; see `partway convert`.",
    )(function)


def consecutive(seeds: Iterable[int], count: int) -> list[int]:
    """Each seed and those that follow it, `count` in all, none twice."""
    return list(dict.fromkeys(seed + i for seed in seeds for i in range(count)))
