"""A1111's field `infotext`: what a body leaves out is read from a picture's "parameters" block.

As its `apply_infotext` (modules/api/api.py, version 1.10): whatever the body itself says wins, a
text without settings is a prompt, and what names no model of this server is passed over. There
img2img takes steps, sampler, schedule and seed alone, since the other fields of that tab have no
name in its table (modules/ui.py); here also the words, CFG scale, strength and what is said of the
mask. The size stays the source's own.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from partway.errors import UnknownName
from partway.interfaces.http.sdapi_names import read_sampler
from partway.interfaces.http.sdapi_request import MODEL
from partway.metadata.infotext import pasted

NO_MODEL = "none"  # of a picture that no model was asked for

# Label → field, of both routes and of one.
FIELDS = {"Steps": "steps", "CFG scale": "cfg_scale", "Seed": "seed"}
EDITS = {"Denoising strength": "denoising_strength"}
PICTURES = {"Batch size": "batch_size"}
# Label → the value that asks for nothing, of what has no effect here.
NO_EFFECT = {
    "Clip skip": "1",
    "Eta": "0",
    "Face restoration": "",
    "Hires resize": "",
    "Hires upscale": "",
    "Refiner": "",
    "Tiling": "False",
    "Variation seed strength": "0",
}
# What is said of a mask, in the order of its numbers.
FILLS = ("fill", "original", "latent noise", "latent nothing")
MASK = ("Mask blur", "Mask mode", "Masked content", "Inpaint area", "Masked area padding")
PADDING = 32  # pixels, where a text that speaks of a mask does not say


def filled(
    body: dict[str, Any], models: Collection[str], *, edits: bool
) -> tuple[dict[str, Any], list[str]]:
    """The body with what its infotext adds, and what of that has no effect.

    models  names of this server's
    edits   whether the body is of img2img
    """
    text = body.get("infotext")
    if not isinstance(text, str) or not text.strip():
        return body, []
    prompt, negative, pairs = pasted(text)
    found: dict[str, Any] = {"prompt": prompt, "negative_prompt": negative}
    for label, name in (FIELDS | (EDITS if edits else PICTURES)).items():
        if label in pairs:
            found[name] = pairs[label]
    width, cross, height = pairs.get("Size", "").partition("x")
    if cross and not edits:
        found |= {"width": width, "height": height}
    if edits and any(label in pairs for label in MASK):
        found |= _mask(pairs, body)
    warnings = [
        f"infotext: {label} has no effect"
        for label, idle in NO_EFFECT.items()
        if pairs.get(label, idle) != idle
    ]
    settings: Any = body.get("override_settings") or {}
    given = {name: value for name, value in body.items() if value is not None}
    for said, more in (_sampler(pairs, body), _model(pairs, settings, models)):
        warnings += said
        found |= more
    whole = found | given
    if isinstance(settings, dict):
        whole["override_settings"] = found.get("override_settings", {}) | settings
    return whole, warnings


def _sampler(pairs: dict[str, str], body: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Sampler and schedule; neither where Partway has no such sampler."""
    label, schedule = pairs.get("Sampler"), pairs.get("Schedule type")
    if label is None:
        return [], {}
    try:
        read_sampler(label, schedule)
    except UnknownName as error:
        return [f"infotext: {error}"], {}
    found: dict[str, Any] = {} if schedule is None else {"scheduler": schedule}
    if not body.get("sampler_index"):  # the older name of the same field
        found["sampler_name"] = label
    return [], found


def _model(
    pairs: dict[str, str], settings: object, models: Collection[str]
) -> tuple[list[str], dict[str, Any]]:
    """The model, as a setting of this request; of one that names its own, nothing."""
    name = pairs.get("Model", NO_MODEL)
    if name == NO_MODEL or not isinstance(settings, dict) or MODEL in settings:
        return [], {}
    if name not in models:
        return [f"infotext: no model {name!r} here"], {}
    return [], {"override_settings": {MODEL: name}}


def _mask(pairs: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
    """What is said of a mask; A1111 writes down only what is not its page's own value."""
    found: dict[str, Any] = {
        "inpainting_mask_invert": int(pairs.get("Mask mode") == "Inpaint not masked"),
        "inpaint_full_res": pairs.get("Inpaint area") == "Only masked",
        "inpaint_full_res_padding": pairs.get("Masked area padding", PADDING),
    }
    content = pairs.get("Masked content", "original")
    if content in FILLS:
        found["inpainting_fill"] = FILLS.index(content)
    if "Mask blur" in pairs and not {"mask_blur_x", "mask_blur_y"} & body.keys():
        found["mask_blur"] = pairs["Mask blur"]
    return found
