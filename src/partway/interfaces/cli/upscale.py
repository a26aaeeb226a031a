"""`partway upscale`: the edit that enlarges, with defaults of its own."""

from __future__ import annotations

from typing import Any

import click

from partway.interfaces.cli import edit
from partway.interfaces.cli.larger import Bound, larger_of
from partway.interfaces.cli.masks import refused
from partway.interfaces.cli.values import Strength

SCALE, STRENGTH = 2.0, 0.25
# What belongs to masks, to style pictures, or to a picture without a source.
NOT_HERE = {
    "mask": None,
    "strength_map": None,
    "mask_invert": False,
    "mask_grow": 0,
    "mask_feather": None,
    "fill": "source",
    "only_masked": False,
    "padding": 32,
    "styles": (),
    "keep_colors": False,
    "recolor": False,
    "size": None,
}


def _run(*, scale: float | None, to: tuple[int, int] | None, **given: Any) -> None:
    larger = larger_of(SCALE if scale is None and to is None else scale, to)
    if given["strength"] is None and given["keep"] is None and given["tool"] is None:
        given["strength"] = STRENGTH
    if edit.command.callback is not None:
        edit.command.callback(**given, **NOT_HERE, larger=larger)


OWN = [
    click.Option(
        ["-x", "--scale"],
        type=float,
        metavar="TIMES",
        help=f"The result is so many times as wide and high. [default: {SCALE:g}]",
    ),
    click.Option(
        ["--to"],
        type=Bound(),
        help="Instead: this long side, or the largest size within WxH; the aspect stays.",
    ),
    click.Option(
        ["-s", "--strength"],
        type=Strength(),
        help=f"0 is the plain enlargement, 1 ignores SOURCE. [default: {STRENGTH}]",
    ),
    *refused("upscale", "edit a part first, then enlarge the result"),
]
TAKEN = [each for each in edit.command.params if each.name not in {*NOT_HERE, "strength"}]

command = click.Command(
    "upscale",
    params=[*OWN, *TAKEN],
    callback=_run,
    help="""Enlarge SOURCE and add detail towards PROMPT, in tiles that are denoised together.

    Strength 0 is the Lanczos enlargement, bit for bit. Up to high strengths what SOURCE shows stays
    and only finer detail is added.""",
)
