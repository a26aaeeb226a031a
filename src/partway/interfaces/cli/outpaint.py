"""`partway outpaint`: a larger picture with the source in it, painted on where it ends."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from partway.errors import InvalidRequest
from partway.interfaces.cli import edit
from partway.interfaces.cli.masks import refused
from partway.interfaces.cli.values import Registered, Strength
from partway.margins import NOTHING, Margins, margins_of
from partway.request import DEFAULT_EXTENDING, EXTEND_FIRST

SIDES = Margins._fields
# What belongs to masks, to an edit of the source itself, or to a picture without one.
NOT_HERE = {
    "mask": None,
    "strength_map": None,
    "mask_invert": False,
    "mask_grow": 0,
    "keep": None,
    "size": None,
}


def _run(*, to: str | None, **given: Any) -> None:
    sides: dict[str, Any] = {name: given.pop(name) for name in SIDES}
    if to is None and all(value is None for value in sides.values()):
        raise InvalidRequest(NOTHING)
    if edit.command.callback is not None:
        extend = partial(margins_of, sides=sides, to=to)
        edit.command.callback(**given, **NOT_HERE, extend=extend)


def _side(name: str) -> click.Option:
    """--left, --top, --right or --bottom."""
    along = "width" if name in {"left", "right"} else "height"
    text = f"Add so much on the {name}: 64 is pixels, 25% a share of the source's {along}."
    return click.Option([f"--{name}"], metavar="PIXELS|PERCENT", help=text)


OWN = [
    *(_side(name) for name in SIDES),
    click.Option(
        ["--to"],
        metavar="RATIO|SIZE",
        help="Instead of sides: an aspect ratio as 16:9 or a size as 1024x576, the source in the "
        "middle.",
    ),
    click.Option(
        ["-s", "--strength"],
        type=Strength(),
        help="How far what is added may go from the source's continued edges: 0 is these, 1 "
        f"ignores them. [default: {DEFAULT_EXTENDING}]",
    ),
    click.Option(
        ["mask_feather", "--feather"],
        type=float,
        metavar="PIXELS",
        help="Over how many pixels outside the source the painting takes the place of its "
        "continued edges. [default: 1/16 of the long side]",
    ),
    click.Option(
        ["--fill"],
        type=Registered("fill", ("source", "noise")),
        default="source",
        show_default=True,
        help="What painting starts from: the source's continued edges, or noise.",
    ),
    click.Option(
        ["--only-masked"],
        is_flag=True,
        help="Work on what is added alone, at the model's full resolution.",
    ),
    click.Option(
        ["--padding"],
        type=int,
        default=32,
        show_default=True,
        metavar="PIXELS",
        help="With --only-masked: so much of the source is seen.",
    ),
    *refused("outpaint", EXTEND_FIRST),
]
TAKEN = {*NOT_HERE, *(option.name for option in OWN)}
command = click.Command(
    "outpaint",
    params=[*OWN, *(each for each in edit.command.params if each.name not in TAKEN)],
    callback=_run,
    help="""Extend SOURCE and paint what is added towards PROMPT; no pixel of SOURCE changes.""",
)
