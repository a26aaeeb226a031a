"""What a picture's own file says it was made with, as fields of a request.

    Partway's record     the fields below as they were; the seed is the one after, since the same
                         noise twice would print through
    A1111's block        the same from its numbers: `Denoising strength` on the dial `sd1`, which is
                         that program's meaning, `Steps` as those of a full run
    other programs'      prompts, seed and guidance

All of it is somebody else's text. A model is never taken from a file, and what no request may have
is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from partway.errors import PartwayError
from partway.metadata.reading import read_metadata
from partway.metadata.untrusted import is_whole
from partway.noise import MAX_SEED
from partway.request import EditRequest
from partway.samplers.names import resolve_sampler

if TYPE_CHECKING:
    from partway.metadata.document import Document
    from partway.metadata.recipe import Recipe

FIELDS = ("prompt", "negative_prompt", "strength", "seed", "steps", "guidance_scale", "sampler")
# What goes with a field: a strength means nothing without its dial, nor steps without their kind.
WITH = {"strength": ("strength", "dial"), "steps": ("steps", "full_steps")}
WITH_A1111S_BLOCK = ("A1111", "Forge", "SD.Next")  # whose strength is that of the dial sd1
NUMBERS = {"strength": float, "seed": int, "steps": int, "guidance_scale": float}


def said_by(data: bytes, wanted: Sequence[str]) -> dict[str, Any]:
    """Those of the wanted fields that a picture's file says; none where it says nothing."""
    found = read_metadata(data)
    values: Mapping[str, Any] = {}
    if found.document is not None:
        values = _of_record(found.document)
    elif found.recipe is not None:
        values = _of_recipe(found.recipe)
    names = [each for field in wanted for each in WITH.get(field, (field,))]
    return {name: values[name] for name in names if name in values and _may_be(name, values[name])}


def _of_record(document: Document) -> dict[str, Any]:
    """Of our own record."""
    values = dict(document.request)
    if is_whole(values.get("seed")):
        values["seed"] = (values["seed"] + 1) % (MAX_SEED + 1)
    if document.source is None:  # made from words: its strength is that of no edit
        values.pop("strength", None)
    return {name: value for name, value in values.items() if value is not None}


def _of_recipe(recipe: Recipe) -> dict[str, Any]:
    """Of another program's settings."""
    texts = {"prompt": recipe.prompt, "negative_prompt": recipe.negative_prompt}
    values: dict[str, Any] = {name: text for name, text in texts.items() if text.strip()}
    for name, kind in NUMBERS.items():
        with suppress(ValueError):
            values[name] = kind(recipe.values.get(name, ""))
    if recipe.tool in WITH_A1111S_BLOCK:
        values["dial"] = "sd1"
        values["full_steps"] = values.get("steps")
        with suppress(PartwayError):
            values["sampler"] = resolve_sampler(recipe.values.get("sampler", ""))[0]
    else:
        values.pop("strength", None)
    if "strength" not in values:
        values.pop("dial", None)
    values.pop("steps", None)
    return {name: value for name, value in values.items() if value is not None}


def _may_be(name: str, value: Any) -> bool:
    """Whether a request may have this value."""
    try:
        EditRequest(**{name: value})
    except PartwayError:
        return False
    return True
