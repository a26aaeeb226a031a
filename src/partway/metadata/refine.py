"""A result as the next source: its own settings, another start, a low strength.

Taken over is the list below, what belongs to the model that runs again (its calibration, LoRA) and
nothing else. From another program's file only its prompts are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from partway.errors import NoMetadata
from partway.metadata.inputs import Finder
from partway.metadata.untrusted import is_whole
from partway.noise import MAX_SEED
from partway.request import EditRequest

if TYPE_CHECKING:
    from pathlib import Path

    from partway.metadata.document import Document
    from partway.metadata.reading import Metadata
    from partway.metadata.recipe import Recipe

DEFAULT_STRENGTH = 0.25
TAKEN = (
    "prompt", "negative_prompt", "dial", "steps", "full_steps", "sampler", "spacing",
    "guidance_scale", "guidance_interval", "true_cfg_scale", "working_multiple", "precision",
    "runtime", "keep_colors", "recolor",
)  # fmt: skip


def refine_of(
    data: bytes,
    metadata: Metadata,
    folder: Path | None,
    *,
    prompt: str | None = None,
    model: str | None = None,
    configured: str | None = None,
    references: Sequence[bytes] = (),
    anyway: bool = False,
    **given: Any,
) -> tuple[EditRequest, list[str]]:
    """The request that goes on from a picture, and notes.

    data    the picture's file
    prompt  in place of its own
    model   in place of its own, which is not taken either where words come in place of a style
            picture or the other way round; its calibration goes with it, and its LoRA where the
            model named is not the very one
    given   fields of the request the person set; they come before what the file says

    The seed is the one after the file's: the same noise twice would print through. NoMetadata where
    neither the file nor the person says a prompt.
    """
    finder = Finder(folder, anyway)
    if metadata.document is not None:
        document = metadata.document
        worded = prompt is not None and bool(prompt.strip())
        values = _own(finder, document, styled=not worded and not references)
        styled = bool(references or values.get("references"))
        own = model is None and styled == bool(document.files.get("references"))
        if own:
            model = finder.model(document, None, configured)
            calibration = {"gain", "curve"} & document.request.keys()
            values |= {name: document.request[name] for name in calibration}
        if document.files.get("loras") and not given.get("loras"):
            values["loras"] = _loras(finder, document, own=own or finder.is_model(document, model))
    else:
        values = _foreign(finder, metadata.recipe, asked=prompt is not None or bool(references))
    if references:
        values["references"] = tuple(references)
    if prompt is not None:
        values["prompt"] = prompt
    if given.get("steps") is not None:
        values.pop("full_steps", None)
    if given.get("full_steps") is not None:
        values.pop("steps", None)
    values |= {name: value for name, value in given.items() if value is not None}
    values |= {"source": data, "model": model if model is not None else configured}
    return EditRequest(**values), finder.notes


def _own(finder: Finder, document: Document, *, styled: bool) -> dict[str, Any]:
    """What is taken from a record; its style pictures unless something came in their place."""
    values = {name: document.request[name] for name in TAKEN if name in document.request}
    seed = document.request.get("seed")
    if is_whole(seed):
        values["seed"] = (seed + 1) % (MAX_SEED + 1)
    wanted = document.files.get("references", ())
    if styled:
        values["references"] = tuple(
            finder.file(file, "style picture", None, "--style FILE") for file in wanted
        )
    else:
        values.pop("keep_colors", None)
        values.pop("recolor", None)
    return values


def _loras(finder: Finder, document: Document, *, own: bool) -> list[str]:
    """Its adapters, where its own model runs."""
    if own:
        return finder.loras(document.request.get("loras"), document.files["loras"], ())
    finder.notes.append("its LoRA went with another model and is left out; --lora FILE names one")
    return []


def _foreign(finder: Finder, recipe: Recipe | None, *, asked: bool) -> dict[str, Any]:
    """What is taken from another program's settings: its prompts."""
    if recipe is not None and (recipe.prompt.strip() or recipe.negative_prompt.strip()):
        finder.notes.append(f"taken from {recipe.tool}'s settings: its prompts, nothing else")
        return {"prompt": recipe.prompt, "negative_prompt": recipe.negative_prompt}
    if not asked:
        raise NoMetadata("nothing in this file says what it shows: add a PROMPT")
    return {}


def parent_of(data: bytes) -> str:
    """How a result names the picture it refines: SHA-256 of its file."""
    return hashlib.sha256(data).hexdigest()
