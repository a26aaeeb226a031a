"""What there is to choose from, and what would happen: no route here loads a network."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from partway import images
from partway.api import DEFAULT_SWEEP
from partway.choosing import choose_model
from partway.domain import domain_of
from partway.errors import InvalidRequest, ModelUnsuitable
from partway.examples import EXAMPLES, PHOTOGRAPH
from partway.interfaces.facts import details, made_facts, plan_facts
from partway.interfaces.http.edit_fields import Word
from partway.interfaces.http.elsewhere import elsewhere
from partway.interfaces.http.errors import NotFound, words
from partway.interfaces.http.results import data_url
from partway.interfaces.http.service import service_of
from partway.interfaces.http.uploads import parse_json, pictures_of, read_body
from partway.metadata import read_metadata
from partway.outline import evaluations_of, plan_request
from partway.plan import describe
from partway.request import DEFAULT_SAMPLER, DEFAULT_SPACING, EditRequest
from partway.samplers import SAMPLERS
from partway.spacings import SPACINGS
from partway.strength import (
    BANDS,
    DEFAULT_DIAL,
    DEFAULT_STRENGTH,
    DIALS,
    WORDS,
    band,
    named_strength,
    strength_at,
)
from partway.styles import STYLES, style_file

if TYPE_CHECKING:
    from pathlib import Path

    from partway.families import Profile
    from partway.interfaces.http.service import Models

router = APIRouter(prefix="/v1")

THUMBNAIL = 160  # long side, pixels
IMAGE_CACHE = {"Cache-Control": "private, max-age=86400"}


class PlanFields(BaseModel):
    """What a plan depends on. Names and defaults as EditRequest's."""

    model_config = ConfigDict(extra="forbid", strict=True)

    strength: float | Word = Field(DEFAULT_STRENGTH, json_schema_extra={"minimum": 0, "maximum": 1})
    dial: str = "standard"
    steps: int | None = None
    full_steps: int | None = None
    sampler: str | None = Field(None, description="The model's own by default.")
    spacing: str = DEFAULT_SPACING
    model: str | None = Field(None, description="A name from /v1/models.")


PLAN_BODY = {
    "requestBody": {
        "content": {"application/json": {"schema": PlanFields.model_json_schema()}},
        "required": True,
    }
}


@router.post("/plan", openapi_extra=PLAN_BODY)
async def plan(request: Request) -> dict[str, Any]:
    """What a strength comes to on a model: the numbers of `partway plan --json`, and words."""
    try:
        fields = PlanFields.model_validate(parse_json(await request.body()))
    except ValidationError as error:
        raise InvalidRequest(words(error.errors(include_url=False))) from error
    models = service_of(request).models
    models.resolve(fields.model)
    profile = models.profiles[fields.model or models.default]
    given = fields.model_dump(exclude={"model"})
    if isinstance(fields.strength, str):
        given["strength"] = named_strength(
            fields.strength, fields.dial, profile.gain, profile.curve
        )
    asked = EditRequest(source=b"?", **given)  # a plan with a source; its pixels do not matter
    made = plan_request(asked, profile)
    evaluations = evaluations_of(asked, profile, made)
    return plan_facts(made, evaluations, profile.name) | {
        "intervals": made.intervals,
        "full_steps": made.full_steps,
        "band": band(strength_at(made.noise_fraction, "standard", profile.gain)),
        "description": describe(made, evaluations),
        "elsewhere": elsewhere(made.noise_fraction, profile.gain),
    }


@router.get("/choices")
async def choices() -> dict[str, Any]:
    """What the fields of an edit may be: names, the dial's bands, strengths worth a look."""
    edges = [edge for edge, _ in BANDS]
    words_of = [text.partition(": ") for _, text in BANDS[1:]]
    return {
        "strength": DEFAULT_STRENGTH,
        "sweep": DEFAULT_SWEEP,
        "samplers": list(SAMPLERS),
        "spacings": list(SPACINGS),
        "dials": list(DIALS),
        "defaults": {
            "sampler": DEFAULT_SAMPLER,
            "spacing": DEFAULT_SPACING,
            "dial": DEFAULT_DIAL,
        },
        "bands": [
            {"name": name, "says": says, "from": low, "to": high}
            for (name, _, says), low, high in zip(words_of, edges, edges[1:], strict=False)
        ],
    }


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """The models of this server, in the form of OpenAI's list with facts of ours."""
    known = service_of(request).models
    return {
        "object": "list",
        "data": [model_facts(known, each) for each in known.profiles.values()],
    }


@router.get("/models/{name}")
async def model(request: Request, name: str) -> dict[str, Any]:
    """One model of the list."""
    known = service_of(request).models
    if name not in known.profiles:
        raise NotFound(f"no model {name!r}: choose from {', '.join(known.profiles)}")
    return model_facts(known, known.profiles[name])


def model_facts(known: Models, profile: Profile) -> dict[str, Any]:
    """One model; nothing of where its files lie."""
    facts = details(profile)
    for hidden in ("folder", "licences"):
        del facts[hidden]
    return {
        "id": profile.name,
        "object": "model",
        "created": 0,
        "owned_by": "partway",
        **facts,
        "default": profile.name == known.default,
        "artwork_only": profile.artwork_only,
        "conditioning": profile.conditioning,
        "strengths": named_strengths(profile),
    }


def named_strengths(profile: Profile) -> dict[str, float]:
    """What the words for a strength mean on the standard dial, where that was measured."""
    if profile.curve is None:
        return {}
    return {word: named_strength(word, gain=profile.gain, curve=profile.curve) for word in WORDS}


@router.get("/styles")
async def styles() -> list[dict[str, Any]]:
    """The bank of style pictures, for the field `style`."""
    return [
        {
            "name": name,
            "description": about,
            "thumbnail": thumbnail(style_file(name)),
            "image": f"/v1/styles/{name}.jpg",
        }
        for name, about in STYLES.items()
    ]


@router.get("/styles/{file}", response_class=Response)
async def style_image(file: str) -> Response:
    """The picture of a style."""
    name = file.removesuffix(".jpg")
    if name not in STYLES or file == name:
        raise NotFound(f"no style picture {file!r}")
    return Response(style_file(name).read_bytes(), media_type="image/jpeg", headers=IMAGE_CACHE)


@router.get("/examples")
async def examples() -> list[dict[str, Any]]:
    """The example pictures that travel with Partway, each with a prompt."""
    listed = [(each.name, each.prompt, None, each.file) for each in EXAMPLES]
    return [
        {
            "name": name,
            "prompt": prompt,
            "style": style,
            "image": f"/v1/examples/{file.name}",
            "thumbnail": thumbnail(file),
        }
        for name, prompt, style, file in (*listed, ("cat", "", "watercolour", PHOTOGRAPH))
    ]


@router.get("/examples/{file}", response_class=Response)
async def example_image(file: str) -> Response:
    """The picture of an example."""
    found = {path.name: path for path in (*(each.file for each in EXAMPLES), PHOTOGRAPH)}
    if file not in found:
        raise NotFound(f"no example {file!r}")
    kind = "image/jpeg" if file.endswith(".jpg") else "image/png"
    return Response(found[file].read_bytes(), media_type=kind, headers=IMAGE_CACHE)


@cache
def thumbnail(file: Path) -> str:
    """A small copy of a picture as a data: URL."""
    with Image.open(file) as image:
        return data_url(image, THUMBNAIL)


INSPECT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["source"],
                    "properties": {"source": {"type": "string", "format": "binary"}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["source"],
                    "properties": {"source": {"type": "string"}},
                }
            },
        },
    }
}


@router.post("/inspect", openapi_extra=INSPECT_BODY)
async def inspect(request: Request) -> dict[str, Any]:
    """What a picture is, how it was made, and which model would edit it or why none."""
    body = await read_body(request)
    source = pictures_of(body).source
    if source is None:
        raise InvalidRequest("nothing to look at: send a picture as `source`")
    service = service_of(request)
    return await service.in_thread(look_at, source, service.models)


def look_at(data: bytes, models: Models) -> dict[str, Any]:
    """The facts of a picture."""
    picture = images.load(data)
    with Image.open(io.BytesIO(data)) as header:
        format_name = header.format
    domain = domain_of(picture.rgb)
    facts: dict[str, Any] = {
        "width": picture.extent.width,
        "height": picture.extent.height,
        "format": None if format_name is None else format_name.lower(),
        "transparent": picture.alpha is not None,
        "photograph": domain.photograph,
        "reason": domain.reason,
        "warnings": list(picture.notes),
        "thumbnail": data_url(Image.fromarray(picture.rgb), THUMBNAIL),
        "model": None,
        "why_not": None,
        "made": made_facts(read_metadata(data)),
    }
    try:
        facts["model"] = choose_model(models.resolve(None), picture, "this picture").name
    except ModelUnsuitable as error:
        facts["why_not"] = str(error)
    return facts
