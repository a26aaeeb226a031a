"""The rest of A1111's API that its clients probe: extras, memory, what this server does not do."""

from __future__ import annotations

import base64
import html
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from partway import images
from partway.errors import InvalidRequest, UnknownName
from partway.geometry import Extent
from partway.interfaces.http.errors import words
from partway.interfaces.http.fitting import check_size, check_together
from partway.interfaces.http.masks import png
from partway.interfaces.http.service import service_of
from partway.interfaces.http.uploads import decode_picture, parse_json
from partway.request import MAX_SIDE

if TYPE_CHECKING:
    from collections.abc import Callable

router = APIRouter(prefix="/sdapi/v1")

UPSCALERS = {"Lanczos": Image.Resampling.LANCZOS, "Nearest": Image.Resampling.NEAREST}
NONE = "None"
MAX_BATCH = 32
STATM = Path("/proc/self/statm")


class ExtrasFields(BaseModel):
    """Enlarging as A1111's "extras" do it, without a model."""

    model_config = ConfigDict(extra="allow")

    image: str = ""
    resize_mode: int = Field(0, ge=0, le=1, description="0: by upscaling_resize, 1: to a size.")
    upscaling_resize: float = Field(2, gt=0, le=16)
    upscaling_resize_w: int = Field(512, ge=1, le=MAX_SIDE)
    upscaling_resize_h: int = Field(512, ge=1, le=MAX_SIDE)
    upscaling_crop: bool = Field(default=True, description="To a size: cut what is too much.")
    upscaler_1: str = Field(NONE, description="Lanczos, Nearest, or None: the size stays.")
    upscaler_2: str = NONE
    extras_upscaler_2_visibility: float = Field(0, ge=0, le=1)
    gfpgan_visibility: float = 0
    codeformer_visibility: float = 0


class BatchFields(ExtrasFields):
    """The same for several pictures."""

    imageList: list[dict[str, Any]] = []  # noqa: N815  its name there


def _schema(kind: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": kind.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


@router.post("/extra-single-image", openapi_extra=_schema(ExtrasFields))
async def extra_single_image(request: Request) -> dict[str, Any]:
    """One picture, enlarged by Lanczos."""
    fields = _read(ExtrasFields, parse_json(await request.body()))
    image = await service_of(request).in_thread(_enlarged, fields, fields.image)
    return {"html_info": _told(fields), "image": image}


@router.post("/extra-batch-images", openapi_extra=_schema(BatchFields))
async def extra_batch_images(request: Request) -> dict[str, Any]:
    """Several pictures, enlarged by Lanczos."""
    fields = _read(BatchFields, parse_json(await request.body()))
    if not 1 <= len(fields.imageList) <= MAX_BATCH:
        raise InvalidRequest(f"{len(fields.imageList)} pictures, allowed are 1 … {MAX_BATCH}")
    service = service_of(request)
    made: list[str] = []
    for each in fields.imageList:
        made.append(await service.in_thread(_enlarged, fields, each.get("data")))
        check_together(made)
    return {"html_info": _told(fields), "images": made}


def _read(kind: Callable[..., Any], body: dict[str, Any]) -> Any:
    given = {name: value for name, value in body.items() if value is not None}
    try:
        return kind(**given)
    except ValidationError as error:
        raise InvalidRequest(words(error.errors(include_url=False))) from error


def _enlarged(fields: ExtrasFields, text: object) -> str:
    """A picture's file in base64, at the size asked for."""
    picture = images.load(decode_picture("image", text))
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    share = fields.extras_upscaler_2_visibility
    first = _resized(image, fields, fields.upscaler_1)
    if share > 0 and fields.upscaler_2 != NONE:
        second = _resized(image, fields, fields.upscaler_2)
        first = Image.blend(_at(first, second.size), second, share)
    return base64.b64encode(png(first)).decode()


def _at(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture at a size, which it has unless no upscaler was named for it."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _resized(image: Image.Image, fields: ExtrasFields, name: str) -> Image.Image:
    if name == NONE:
        return image
    if name not in UPSCALERS:
        raise UnknownName("upscaler", name, (NONE, *UPSCALERS))
    wanted = Extent(fields.upscaling_resize_w, fields.upscaling_resize_h)
    factor = fields.upscaling_resize
    if fields.resize_mode == 1:
        factor = max(wanted.width / image.width, wanted.height / image.height)
    size = Extent(max(round(image.width * factor), 1), max(round(image.height * factor), 1))
    if fields.resize_mode == 1 and fields.upscaling_crop:
        check_size(wanted)
        return ImageOps.fit(image, wanted, UPSCALERS[name])
    check_size(size)
    return image.resize(size, UPSCALERS[name])


def _told(fields: ExtrasFields) -> str:
    """What was not done, for people: the form has a place for HTML only."""
    given = {"gfpgan": fields.gfpgan_visibility, "codeformer": fields.codeformer_visibility}
    idle = [f"{name}_visibility has no effect" for name, value in given.items() if value]
    return html.escape("; ".join(idle))


@router.post("/interrogate")
async def interrogate() -> None:
    """Describing a picture in words: not offered."""
    raise InvalidRequest(
        "nothing here describes pictures in words; POST /v1/inspect says what a picture is and "
        "how it was made"
    )


@router.get("/memory")
async def memory() -> dict[str, Any]:
    """Memory of this process, as A1111 counts it."""
    return {"ram": _ram(), "cuda": {"error": "unavailable"}}


def _ram() -> dict[str, Any]:
    """Bytes used by this process, of the machine's."""
    if not STATM.is_file():
        return {"error": "unavailable"}
    page = os.sysconf("SC_PAGE_SIZE")
    used = int(STATM.read_text().split()[1]) * page
    total = os.sysconf("SC_PHYS_PAGES") * page
    return {"free": total - used, "used": used, "total": total}


async def _fixed() -> None:
    """Models and lists are fixed at the start: there is nothing to do."""


for _name in ("refresh-vae", "refresh-loras", "refresh-embeddings", "unload-checkpoint"):
    router.add_api_route(f"/{_name}", _fixed, methods=["POST"], name=_name)
router.add_api_route("/reload-checkpoint", _fixed, methods=["POST"], name="reload-checkpoint")
