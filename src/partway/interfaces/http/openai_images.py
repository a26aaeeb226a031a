"""OpenAI's images API, /v1/images: edits and generations.

Its fields, and beside them every field of /v1/edits: `strength`, `seed`, `steps`, … which its
clients send through `extra_body`. `GET /v1/models` is shared with the native API: the same list has
OpenAI's form and our facts.
"""

from __future__ import annotations

import base64
import io
import secrets
from time import time
from typing import TYPE_CHECKING, Any, Literal, cast

from fastapi import APIRouter, Request
from PIL import Image
from pydantic import Field, ValidationError

from partway.errors import InvalidRequest
from partway.geometry import Extent
from partway.interfaces.http.edit_fields import EditFields, keep_asked, margins_asked, to_request
from partway.interfaces.http.errors import facts_of, words
from partway.interfaces.http.fitting import CROP, fitted
from partway.interfaces.http.masks import from_alpha
from partway.interfaces.http.service import Service, service_of
from partway.interfaces.http.uploads import Body, Pictures, decode_picture, read_body
from partway.noise import MAX_SEED

if TYPE_CHECKING:
    from partway.interfaces.http.jobs import Job
    from partway.request import EditRequest

router = APIRouter(prefix="/v1/images")

MAX_COUNT = 10
FIDELITY = {"high": 0.35, "low": 0.7}  # strength of `input_fidelity`, where no strength is given
# OpenAI's own models, which its clients name by default: they stand for this server's.
THEIRS = ("gpt-image", "dall-e", "chatgpt-image")
# Fields of the API that do not matter here.
PASSED_OVER = (
    "quality",
    "user",
    "moderation",
    "background",
    "output_compression",
    "partial_images",
)
THEIR_STYLES = ("vivid", "natural")
AUTO = "auto"
EDITED = 255  # of a grey mask


class ImagesFields(EditFields):
    """The fields of both routes, but their pictures."""

    seed: int | Literal["random"] = Field("random", description="0 … 2³² − 1, or random.")  # pyright: ignore[reportIncompatibleVariableOverride]
    n: int = Field(1, ge=1, le=MAX_COUNT)
    output_format: Literal["png", "jpeg", "webp", "avif"] = "png"
    response_format: Literal["b64_json", "url"] = "b64_json"
    input_fidelity: Literal["high", "low"] | None = None
    stream: bool = False


def body_of(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI says of a body."""
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


def _form() -> dict[str, Any]:
    schema = ImagesFields.model_json_schema()
    file = {"type": "string", "format": "binary"}
    schema["properties"] |= {"image": file, "mask": file}
    return body_of("multipart/form-data", schema)


def _json() -> dict[str, Any]:
    return body_of("application/json", ImagesFields.model_json_schema())


@router.post("/edits", openapi_extra=_form())
async def edits(request: Request) -> dict[str, Any]:
    """Edit a picture. The result has its size, or `size`, to which it is cut before."""
    service = service_of(request)
    body = await read_body(request)
    source = _source(body)
    mask = _files(body, ("mask",))
    fields = read_fields(body, edits=True)
    if len(mask) > 1:
        raise InvalidRequest(f"{len(mask)} masks: an edit takes one")
    grey = await service.in_thread(mask_of, mask[0]) if mask else None
    size = fields.size
    if size is not None:
        source = await service.in_thread(fitted, source, Extent(*size), CROP)
        if grey is not None:
            grey = await service.in_thread(fitted, grey, Extent(*size), CROP)
        fields = fields.model_copy(update={"size": None})
    return await _make(request, service, fields, Pictures(source, mask=grey))


@router.post("/generations", openapi_extra=_json())
async def generations(request: Request) -> dict[str, Any]:
    """Make pictures from the prompt alone."""
    fields = read_fields(await read_body(request), edits=False)
    return await _make(request, service_of(request), fields, Pictures())


async def _make(
    request: Request, service: Service, fields: ImagesFields, pictures: Pictures
) -> dict[str, Any]:
    """Submit n requests, wait for them, answer with the pictures."""
    model = service.models.resolve(fields.model, styled=bool(fields.style))
    extend = await service.in_thread(margins_asked, fields, pictures.source)
    first = to_request(fields, pictures, model, extend)
    seed = secrets.randbelow(MAX_SEED + 1) if fields.seed == "random" else fields.seed
    asked = [first.with_(seed=(seed + i) % (MAX_SEED + 1) if i else seed) for i in range(fields.n)]
    job = await service.submit(
        asked,
        mode=fields.mode,
        format_name=fields.output_format,
        metadata=fields.metadata,
        keep_gps=fields.keep_gps,
        word=fields.word,
        keep=keep_asked(fields),
    )
    await service.wait(job, request)
    base = str(request.base_url).rstrip("/")
    return answer_of(fields, asked, job, base)


def answer_of(
    fields: ImagesFields, asked: list[EditRequest], job: Job, base: str
) -> dict[str, Any]:
    """The answer: OpenAI's facts of pictures and ours.

    base  address of this server
    """
    data: list[dict[str, Any]] = []
    for index, (request, result) in enumerate(zip(asked, job.results, strict=True)):
        if result["status"] != "done":
            continue
        by_url = fields.response_format == "url"
        facts: dict[str, Any] = (
            {"url": f"{base}{result['image']}"}
            if by_url
            else {"b64_json": base64.b64encode(job.files[index]).decode()}
        )
        shown = ("strength", "model", "evaluations", "plan", "kept", "mode", "warnings", "hints")
        data.append(facts | {"seed": request.seed} | {name: result[name] for name in shown})
    width, height = next(
        (each["width"], each["height"]) for each in job.results if each["status"] == "done"
    )
    failed = [{"index": index} | facts_of(error) for index, error in job.errors.items()]
    return {
        "created": int(time()),
        "data": data,
        "output_format": fields.output_format,
        "size": f"{width}x{height}",
    } | ({"failed": failed} if failed else {})


def read_fields(body: Body, *, edits: bool) -> ImagesFields:
    """The fields of a body; those of OpenAI's that do not matter are left out."""
    given = {name.removesuffix("[]"): value for name, value in body.fields.items()}
    for name in PASSED_OVER:
        given.pop(name, None)
    if given.get("style") in THEIR_STYLES:
        del given["style"]
    given = {name: value for name, value in given.items() if value not in (None, "")}
    if given.get("size") == AUTO:
        del given["size"]
    if str(given.get("model", "")).startswith(THEIRS):
        del given["model"]
    if body.files:
        raise InvalidRequest(f"no file is called {min(body.files)!r}: want image, mask")
    try:
        fields = ImagesFields.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest(words(error.errors(include_url=False))) from error
    if fields.stream:
        raise InvalidRequest("stream is not offered here: /v1/jobs/ID/events has events")
    if edits and fields.strength is None and fields.input_fidelity is not None:
        fields = fields.model_copy(update={"strength": FIDELITY[fields.input_fidelity]})
    if not edits and not fields.prompt.strip():
        raise InvalidRequest("prompt is empty: say what the picture should show")
    return fields


def _source(body: Body) -> bytes:
    """The one picture to edit; from a form's file, or from base64."""
    found = _files(body, ("image", "image[]", "images", "images[]"))
    if len(found) != 1:
        count = f"{len(found)} pictures" if found else "no picture"
        raise InvalidRequest(f"{count}: an edit takes one, as the file `image` or `image[]`")
    return found[0]


def _files(body: Body, names: tuple[str, ...]) -> list[bytes]:
    """The files of these names, taken out of the body."""
    found: list[bytes] = []
    for name in names:
        found += body.files.pop(name, [])
        value: Any = body.fields.pop(name, None)
        if value in (None, ""):
            continue
        if not body.is_json:
            raise InvalidRequest(f"{name} is text: want the file itself; nothing is fetched")
        found += [decode_picture(name, each) for each in _listed(value)]
    return found


def _listed(value: Any) -> list[Any]:
    """One value or several; {"image_url": …} holds one, as OpenAI's JSON has it."""
    listed = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [
        cast("dict[str, Any]", each).get("image_url") if isinstance(each, dict) else each
        for each in listed
    ]


def mask_of(data: bytes) -> bytes | None:
    """The grey mask of one that is edited where it is transparent; None where all of it is."""
    mask = from_alpha(data)
    if mask is None:
        raise InvalidRequest(
            "the mask is opaque everywhere, or has no alpha: where it is transparent is edited"
        )
    with Image.open(io.BytesIO(mask)) as plane:
        least, _ = plane.convert("L").getextrema()
    return None if least == EDITED else mask
