"""From a body of A1111's API to EditRequests, and what of it has no effect here.

Its clients send every field they know. What Partway has no use for is passed over with a warning in
the answer's `info`, unless it holds the value that stands for "off".
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from partway import images
from partway.errors import InvalidRequest
from partway.geometry import Extent
from partway.interfaces.http.errors import NotFound, words
from partway.interfaces.http.fitting import FILL, STRETCH, check_together, fitted
from partway.interfaces.http.masks import mask_for
from partway.interfaces.http.results import check_format
from partway.interfaces.http.sdapi_masks import mask_fields, mask_warnings
from partway.interfaces.http.sdapi_names import read_sampler, start_of
from partway.interfaces.http.sdapi_prompt import plain_words
from partway.interfaces.http.uploads import decode_picture
from partway.noise import MAX_SEED
from partway.request import MAX_SIDE, EditRequest
from partway.run import Mode
from partway.styles import STYLES, style_file

if TYPE_CHECKING:
    from partway.interfaces.http.service import Service

MAX_IMAGES = 32  # of one request
SEEDS = MAX_SEED + 1
LATENT = 3  # resize_mode that needs a network; read as STRETCH

# Fields without effect → values that ask for nothing.
PASSED_OVER: dict[str, tuple[Any, ...]] = {
    "subseed_strength": (0,),
    "restore_faces": (False,),
    "tiling": (False,),
    "eta": (0, 1),
    "s_min_uncond": (0,),
    "s_churn": (0,),
    "s_tmin": (0,),
    "s_noise": (1,),
    "refiner_checkpoint": ("", "None"),
    "firstpass_image": ("",),
    "alwayson_scripts": ({},),
    "save_images": (False,),
    "initial_noise_multiplier": (1,),
    "enable_hr": (False,),
}
# Fields that say how something is done that is not asked for, or where A1111 would keep it.
IDLE = {
    "denoising_strength", "subseed", "seed_resize_from_h", "seed_resize_from_w",
    "distilled_cfg_scale",
    "do_not_save_samples", "do_not_save_grid", "s_tmax", "override_settings_restore_afterwards",
    "refiner_switch_at", "disable_extra_networks", "comments", "script_args",
    "image_cfg_scale", "mask_round",
    "firstphase_width", "firstphase_height", "hr_scale", "hr_upscaler", "hr_second_pass_steps",
    "hr_resize_x", "hr_resize_y", "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler",
    "hr_prompt", "hr_negative_prompt", "hr_cfg", "hr_distilled_cfg", "hr_additional_modules",
}  # fmt: skip
MODEL, FORMAT = "sd_model_checkpoint", "samples_format"
MODE = "partway_mode"  # in override_settings: a client that sends known fields only can say it


class Fields(BaseModel):
    """What has an effect, of both routes. Names and meanings as A1111's."""

    model_config = ConfigDict(extra="allow")

    prompt: str = ""
    negative_prompt: str = ""
    styles: list[str] = Field([], description="Names from prompt-styles: pictures, no words.")
    seed: int = Field(-1, description="-1 takes a new one; later pictures count on from it.")
    sampler_name: str | None = None
    sampler_index: str | None = None
    scheduler: str | None = None
    batch_size: int = Field(1, ge=1, le=MAX_IMAGES)
    n_iter: int = Field(1, ge=1, le=MAX_IMAGES)
    steps: int = 50
    cfg_scale: float | None = Field(None, description="The model's own where none is given.")
    width: int | None = Field(None, ge=1, le=MAX_SIDE, description="The source's own by default.")
    height: int | None = Field(None, ge=1, le=MAX_SIDE)
    override_settings: dict[str, Any] = {}
    send_images: bool = True
    force_task_id: str = Field("", max_length=200, description="For /internal/progress.")
    infotext: str = Field("", description="Fills what is left out: a picture's parameters.")
    script_name: str = ""
    mode: Mode = Field("shared", description="Partway's own.")


class TextFields(Fields):
    """txt2img."""


class ImageFields(Fields):
    """img2img."""

    init_images: list[str] = Field([], description="base64 or data: URLs; addresses are refused.")
    denoising_strength: float = 0.75
    resize_mode: int = Field(STRETCH, ge=0, le=LATENT)
    mask: str | None = Field(None, description="White is repainted.")
    latent_mask: str | None = Field(None, description="Refused.")
    mask_blur: float | None = Field(None, ge=0, le=341)
    mask_blur_x: float = Field(4, ge=0, le=341)
    mask_blur_y: float = Field(4, ge=0, le=341)
    inpainting_fill: int = Field(0, ge=0, le=3)
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = Field(0, ge=0)
    inpainting_mask_invert: int = 0
    include_init_images: bool = False


@dataclass(frozen=True, eq=False)
class Asked:
    """A body as requests.

    fields     what was sent
    warnings   what of it has no effect
    format     of the files, a key of results.FORMATS
    mode       of the batching
    """

    fields: Fields
    requests: list[EditRequest]
    warnings: list[str]
    format: str
    mode: Mode


def read_fields(kind: type[Fields], body: dict[str, Any]) -> Fields:
    """The fields of a body; null stands for a field that was not sent."""
    given = {name: value for name, value in body.items() if value is not None}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest(words(error.errors(include_url=False))) from error


def read_request(fields: Fields, service: Service, default_model: str | None) -> Asked:
    """Requests of a body; takes time where pictures are decoded.

    default_model  a name in service.models, or None for the server's own
    """
    if fields.script_name and fields.script_name != "None":
        raise InvalidRequest(f"script {fields.script_name!r} not found: there are no scripts here")
    warnings = passed_over(fields)
    prompt, lost = plain_words(fields.prompt)
    negative, also_lost = plain_words(fields.negative_prompt, "negative prompt")
    warnings += [*lost, *also_lost]
    styles = [name for name in fields.styles if name in STYLES]
    warnings += [f"no style {name!r}" for name in fields.styles if name not in STYLES]
    settings = fields.override_settings
    warnings += [f"setting {name!r} has no effect" for name in settings if name not in ALLOWED]
    name = settings.get(MODEL) or default_model
    if name is not None:
        name = model_name(str(name))
    sampler, spacing = read_sampler(fields.sampler_name or fields.sampler_index, fields.scheduler)
    shared: dict[str, Any] = {
        "prompt": prompt,
        "negative_prompt": negative,
        "sampler": sampler,
        "spacing": spacing,
        "guidance_scale": None if styles else fields.cfg_scale,
        "model": service.models.resolve(name, styled=bool(styles)),
        "references": tuple(style_file(each).read_bytes() for each in styles),
    }
    mode = str(settings.get(MODE, fields.mode))
    if mode not in get_args(Mode):
        raise InvalidRequest(f"{MODE} is {mode!r}, want {' or '.join(get_args(Mode))}")
    if isinstance(fields, ImageFields):
        requests = _edits(fields, shared)
    else:
        size = None if fields.width is None and fields.height is None else _size(fields)
        requests = [EditRequest(**shared, steps=fields.steps, size=size)]
    count = fields.n_iter * max(fields.batch_size, len(requests))
    if count > MAX_IMAGES:
        raise InvalidRequest(f"{count} pictures, allowed are {MAX_IMAGES} at once")
    seed = secrets.randbelow(SEEDS) if fields.seed < 0 else fields.seed
    chosen = [
        requests[i % len(requests)].with_(seed=(seed + i) % SEEDS if i else seed)
        for i in range(count)
    ]
    format_name = check_format(str(settings.get(FORMAT) or "png"))
    return Asked(fields, chosen, warnings, format_name, cast("Mode", mode))


ALLOWED = {MODEL, FORMAT, MODE}


def model_name(title: str) -> str:
    """A model's name from its title, "pocket [1a2b3c4d5e]"."""
    return title.split(" [", maxsplit=1)[0].removesuffix(".safetensors").strip()


def _edits(fields: ImageFields, shared: dict[str, Any]) -> list[EditRequest]:
    """One request per source."""
    if not fields.init_images:
        raise NotFound("Init image not found")
    if fields.latent_mask:
        raise InvalidRequest("latent_mask is not offered: send `mask`")
    if len(fields.init_images) > max(fields.batch_size, MAX_IMAGES):
        raise InvalidRequest(f"{len(fields.init_images)} init_images, allowed are {MAX_IMAGES}")
    strength, steps = start_of(fields.denoising_strength, fields.steps, shared["spacing"])
    sources = [decode_picture("init_images", each) for each in fields.init_images]
    how = fields.resize_mode if fields.resize_mode <= FILL else STRETCH
    # the masked part alone: width and height are of that, and the model sees its native size
    whole = not (fields.mask and fields.inpaint_full_res)
    if whole and (fields.width is not None or fields.height is not None):
        for index, data in enumerate(sources):
            sources[index] = fitted(data, _size(fields), how)
            check_together(sources)
    shared = shared | {"strength": strength, "dial": "sd1", "steps": steps}
    return [EditRequest(**shared, source=data, **_masked(fields, data, how)) for data in sources]


def _masked(fields: ImageFields, source: bytes, how: int) -> dict[str, Any]:
    """What is asked of a mask; nothing where there is none."""
    if not fields.mask:
        return {}
    mask = decode_picture("mask", fields.mask)
    return mask_fields(fields) | {"mask": mask_for(mask, images.load(source).extent, how)}


def _size(fields: Fields) -> Extent:
    """The size asked for; A1111's 512 for a side that is not."""
    return Extent(fields.width or 512, fields.height or 512)


def passed_over(fields: Fields) -> list[str]:
    """Warnings of fields that have no effect."""
    found: list[str] = []
    for name, value in (fields.model_extra or {}).items():
        if name in IDLE:
            continue
        if name not in PASSED_OVER:
            found.append(f"no field {name!r}")
        elif value not in PASSED_OVER[name]:
            found.append(f"{name} has no effect")
    if isinstance(fields, ImageFields) and fields.resize_mode == LATENT:
        found.append("resize_mode 3 (latent) is done in pixels")
    if isinstance(fields, ImageFields) and fields.mask:
        found += mask_warnings(fields)
    return found
