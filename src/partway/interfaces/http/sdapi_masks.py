"""What a body of A1111's API says of a mask, in the words of EditRequest.

mask                     white is repainted; where it has transparency, that instead
mask_blur                standard deviation of its edge: our feather is three of them
inpainting_fill          0 surroundings, 1 what is there, 2 noise, 3 nothing: read as noise
inpaint_full_res         the masked part alone, at the model's full resolution
inpaint_full_res_padding pixels around it
inpainting_mask_invert   black is repainted
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partway.metadata.infotext import FILLS as NAMES

if TYPE_CHECKING:
    from partway.interfaces.http.sdapi_request import ImageFields

FILLS = ("blur", "source", "noise", "noise")
NOTHING = 3
SIGMAS = 3.0  # three box blurs whose reach is the feather have a third of it as their deviation


def mask_fields(fields: ImageFields) -> dict[str, Any]:
    """Fields of a request with a mask, but the mask itself."""
    return {
        "mask_feather": SIGMAS * _blur(fields),
        "fill": FILLS[fields.inpainting_fill],
        "only_masked": fields.inpaint_full_res,
        "padding": fields.inpaint_full_res_padding,
        "mask_invert": bool(fields.inpainting_mask_invert),
    }


def mask_warnings(fields: ImageFields) -> list[str]:
    """What of a mask is not done as it is there."""
    found: list[str] = []
    if fields.mask_blur is None and fields.mask_blur_x != fields.mask_blur_y:
        found.append("mask_blur_x and mask_blur_y differ: the larger one counts")
    if fields.inpainting_fill == NOTHING:
        found.append("inpainting_fill 3 (latent nothing) is read as 2 (latent noise)")
    return found


def mask_facts(fields: ImageFields) -> dict[str, Any]:
    """What the account of a picture says of its mask, under A1111's names; nothing without one."""
    if not fields.mask:
        return {}
    facts: dict[str, Any] = {"Mask blur": _blur(fields)}
    if fields.inpainting_mask_invert:
        facts["Mask mode"] = "Inpaint not masked"
    if fields.inpaint_full_res:
        facts["Inpaint area"] = "Only masked"
        facts["Masked area padding"] = fields.inpaint_full_res_padding
    return facts | {"Masked content": NAMES[FILLS[fields.inpainting_fill]]}


def _blur(fields: ImageFields) -> float:
    both = max(fields.mask_blur_x, fields.mask_blur_y)
    return both if fields.mask_blur is None else fields.mask_blur
