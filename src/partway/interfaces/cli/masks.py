"""Options that name the part of a picture an edit acts on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from partway.errors import InvalidRequest
from partway.interfaces.cli.values import Registered
from partway.request import FILLS

OF_MASKS = ("mask_invert", "mask_grow", "mask_feather", "fill", "only_masked", "padding")

F = TypeVar("F", bound=Callable[..., Any])


def mask_options(function: F) -> F:
    """--map, --mask and what belongs to a mask, so that --help lists them in this order."""
    return _mask_options(function, "FILE")


def folder_mask_options(function: F) -> F:
    """The same for many pictures: one file for all, or a folder with one for each."""
    return _mask_options(function, "FILE|FOLDER")


def _mask_options(function: F, place: str) -> F:
    decorators = (
        click.option(
            "--map",
            "strength_map",
            metavar=place,
            help="Grey picture of the source's size: white is edited with the whole strength, "
            "black not at all. A map of several shades runs on a sampler without memory (euler).",
        ),
        click.option(
            "--mask",
            metavar=f"{place}|alpha",
            help="Picture of the source's size: white is repainted, every other pixel stays as it "
            "is; alpha repaints what is transparent.",
        ),
        click.option("--mask-invert", is_flag=True, help="Repaint what is black instead."),
        click.option(
            "--grow",
            "mask_grow",
            type=int,
            default=0,
            metavar="PIXELS",
            help="Enlarge the mask; a negative number shrinks it.",
        ),
        click.option(
            "--feather",
            "mask_feather",
            type=float,
            metavar="PIXELS",
            help="How far the result fades into the source. [default: 1/64 of the long side]",
        ),
        click.option(
            "--fill",
            type=Registered("fill", FILLS),
            default="source",
            show_default=True,
            help="What repainting starts from: what is there, its surroundings, or noise.",
        ),
        click.option(
            "--only-masked",
            is_flag=True,
            help="Work on the masked part alone, at the model's full resolution.",
        ),
        click.option(
            "--padding",
            type=int,
            default=32,
            show_default=True,
            metavar="PIXELS",
            help="With --only-masked: so much of the surroundings is seen.",
        ),
    )
    for option in reversed(decorators):
        function = option(function)
    return function


def refused(command: str, why: str) -> list[click.Option]:
    """--mask and --map of a command that has neither, so that whoever types them learns why."""

    def refuse(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        del ctx
        if value is not None:
            raise InvalidRequest(f"{command} takes no {param.opts[0]}: {why}")

    return [
        click.Option([name], hidden=True, expose_value=False, callback=refuse)
        for name in ("--mask", "--map")
    ]
