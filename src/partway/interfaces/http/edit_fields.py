"""The fields of an edit over HTTP, and the EditRequest that they and their pictures come to.

No field names a file of this machine: models and styles are names from lists.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from partway import images
from partway.edits.target import check_keep
from partway.errors import InvalidRequest
from partway.fields import share
from partway.interfaces.http.errors import words
from partway.margins import Margins, margins_of
from partway.noise import MAX_SEED
from partway.request import DEFAULT_SPACING, EditRequest
from partway.styles import style_file

if TYPE_CHECKING:
    from partway.interfaces.http.uploads import Body, Pictures


def _pair(value: Any) -> Any:
    """Two values, from "0.2:0.9", "96x64" or a list."""
    if isinstance(value, str):
        parts = value.lower().replace("×", "x").replace("x", ":").replace(",", ":").split(":")
        try:
            return tuple(float(part) if "." in part else int(part) for part in parts)
        except ValueError:
            return value
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _list(value: Any) -> Any:
    """One name as a list of one."""
    return [value] if isinstance(value, str) else value


Pair = Annotated[tuple[float, float], BeforeValidator(_pair)]
Size = Annotated[tuple[int, int], BeforeValidator(_pair)]
Length = int | str  # pixels, or a share of the source's side
Word = Literal["subtle", "balanced", "strong", "reimagine"]  # of strength.WORDS
Names = Annotated[list[str], BeforeValidator(_list)]


class EditFields(BaseModel):
    """The fields of an edit, but its pictures. Names, meanings and defaults as EditRequest's."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field("", description="What the result should show.")
    negative_prompt: str = Field("", description="What guidance pushes away from.")
    strength: float | Word | None = Field(
        None,
        description="0 keeps the source, 1 ignores it; 0.5 where none is given. A word is the "
        "number that changes pictures so much on the model.",
        json_schema_extra={"minimum": 0, "maximum": 1},
    )
    keep: float | str | None = Field(
        None,
        description="Instead of a strength: the share of structure to keep, 0.7 or 70%. The "
        "strength is found in at most six runs and stands in the result.",
    )
    dial: str = Field(
        "standard", description="How strength is read: standard, sd1, noise or perceptual."
    )
    steps: int | None = Field(None, description="Exactly so many steps, at any strength.")
    full_steps: int | None = Field(None, description="Density of a full run of so many steps.")
    sampler: str | None = Field(None, description="The model's own by default.")
    spacing: str = DEFAULT_SPACING
    guidance_scale: float | None = Field(None, description="1 is off; the model's own by default.")
    guidance_interval: Pair = Field((0.0, 1.0), description="Noise fractions, as 0.2:0.9.")
    true_cfg_scale: float = Field(
        1.0, description="Beside a guidance that the model has built in; 1 is off."
    )
    seed: int | Literal["random"] = Field(1, description="0 … 2³² − 1, or random.")
    size: Size | None = Field(None, description="WxH of a picture made from the prompt alone.")
    working_multiple: int = Field(1, description="Work at 1 … 4 times the native size.")
    scale: float | None = Field(
        None, description="The result is so many times the source's size, above 1 … 16."
    )
    model: str | None = Field(None, description="A name from /v1/models; chosen by the source.")
    precision: str = Field("auto", description="auto, bf16 or fp32.")
    runtime: str = Field("auto", description="openvino converts a checkpoint for the CPU.")
    keep_colors: bool = Field(default=False, description="With a style: hues stay the source's.")
    recolor: bool = Field(
        default=False, description="With a style: its palette whole, at any strength above 0."
    )
    style: Names = Field([], description="Names of style pictures, from /v1/styles.")
    alpha_mask: bool = Field(default=False, description="Repaint what is transparent.")
    mask_invert: bool = Field(default=False, description="Repaint what is black in the mask.")
    mask_grow: int = Field(0, description="Pixels the mask grows by; negative shrinks.")
    mask_feather: float | None = Field(
        None, description="Pixels the result fades over; 1/64 of the long side by default."
    )
    fill: str = Field(
        "source", description="What repainting starts from: source, blur (surroundings) or noise."
    )
    only_masked: bool = Field(
        default=False, description="Work on the masked part alone, at the model's full resolution."
    )
    padding: int = Field(32, description="With only_masked: pixels of surroundings seen.")
    extend_left: Length | None = Field(None, description="Added on the left: pixels, or 25%.")
    extend_top: Length | None = Field(None, description="Added on the top.")
    extend_right: Length | None = Field(None, description="Added on the right.")
    extend_bottom: Length | None = Field(None, description="Added on the bottom.")
    extend_to: str | None = Field(
        None, description="Instead of sides: an aspect ratio, 16:9, or a size, 1024x576."
    )
    mode: Literal["shared", "exact"] = Field(
        "shared", description="shared is faster; exact gives the same bits every time."
    )
    preview_every: int = Field(
        0, ge=0, le=1000, description="Evaluations between previews; 0 is never."
    )
    format: str = Field("png", description="png, jpeg, webp or avif.")
    metadata: bool = Field(default=True, description="Files say how they were made.")
    keep_gps: bool = Field(
        default=False, description="Files say where the source was taken, if it does."
    )

    @property
    def sides(self) -> dict[str, str | int]:
        """The sides to extend, and how far."""
        given = {name: getattr(self, f"extend_{name}") for name in Margins._fields}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def word(self) -> str | None:
        """The word in place of a strength."""
        return self.strength if isinstance(self.strength, str) else None


class EditJSON(EditFields):
    """An edit as JSON."""

    source: str | None = Field(None, description="The picture: base64, or a data: URL.")
    references: list[str] = Field([], description="Style pictures of your own, base64.")
    mask: str | None = Field(
        None, description="A picture of the source's size: white is repainted, black stays."
    )
    map: str | None = Field(
        None, description="A grey picture of the source's size: its share of the strength."
    )


class SweepFields(EditFields):
    """A sweep: an edit at several strengths."""

    strengths: str | list[float] = Field(
        "0:1:0.1", description='"FROM:TO:STEP", or a list of strengths.'
    )


class SweepJSON(SweepFields, EditJSON):
    """A sweep as JSON."""


def parse_fields(kind: type[EditFields], body: Body) -> EditFields:
    """The fields of a body as one of the models above."""
    given = dict(body.fields)
    if not body.is_json:  # an empty field of a form was left empty
        texts = {"prompt", "negative_prompt"}
        given = {name: value for name, value in given.items() if value != "" or name in texts}
    try:
        return kind.model_validate(given, strict=True if body.is_json else None)
    except ValidationError as error:
        raise InvalidRequest(words(error.errors(include_url=False))) from error


def keep_asked(fields: EditFields) -> float | None:
    """The share of structure to keep, 0 … 1; None where a strength is meant."""
    if fields.keep is None:
        return None
    if fields.strength is not None:
        raise InvalidRequest("give strength or keep, not both")
    return check_keep(share("keep", str(fields.keep), "a share of the structure; try 70%"))


def margins_asked(fields: EditFields, source: bytes | None) -> Margins | None:
    """The pixels that a source is extended by, which takes time; None where it is not."""
    if not fields.sides and fields.extend_to is None:
        return None
    if source is None:
        raise InvalidRequest("margins to extend need a source: send a picture")
    return margins_of(images.load(source).extent, fields.sides, fields.extend_to)


def to_request(
    fields: EditFields, pictures: Pictures, model: str | None, extend: Margins | None = None
) -> EditRequest:
    """The request that decides the pixels.

    model   what fields.model stands for on this server
    extend  as of `margins_asked`
    """
    styles = [style_file(name).read_bytes() for name in fields.style]
    seed = secrets.randbelow(MAX_SEED + 1) if fields.seed == "random" else fields.seed
    names = EditRequest.__dataclass_fields__
    given = {name: getattr(fields, name) for name in type(fields).model_fields if name in names}
    given |= {"seed": seed, "model": model}
    if fields.word is not None:
        given["strength"] = None  # until the model is known
    return EditRequest(
        **given,
        source=pictures.source,
        references=(*styles, *pictures.references),
        mask=pictures.mask,
        strength_map=pictures.strength_map,
        extend=extend,
    )
