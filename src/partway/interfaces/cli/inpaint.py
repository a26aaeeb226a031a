"""`partway inpaint`: the edit of a masked part, with the mask as a word of its own."""

from __future__ import annotations

from typing import Any

import click

from partway.errors import InvalidRequest
from partway.interfaces.cli import edit


def _run(*, source: str, mask_file: str, text: str, mask: str | None, **given: Any) -> None:
    if mask is not None:
        raise InvalidRequest("the mask is the second word: partway inpaint SOURCE MASK PROMPT")
    if edit.command.callback is not None:
        edit.command.callback(words=(source,), prompt=text, size=None, mask=mask_file, **given)


OPTIONS = [each for each in edit.command.params if each.name not in {"words", "prompt", "size"}]
command = click.Command(
    "inpaint",
    params=[
        click.Argument(["source"], metavar="SOURCE"),
        click.Argument(["mask_file"], metavar="MASK"),
        click.Argument(["text"], metavar="PROMPT", default=""),
        *OPTIONS,
    ],
    callback=_run,
    help="""Repaint what is white in MASK towards PROMPT; no other pixel of SOURCE changes.

    MASK is a picture of SOURCE's size, or alpha: what is transparent in SOURCE. The same as
    `partway edit SOURCE PROMPT --mask MASK`, with the same options.""",
)
