"""From a result to its record: whole, true, and without the folders of a machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from partway.metadata.describe import APART, describe, digest_of
from partway.request import EditRequest
from partway.result import EditResult, Names
from partway.styles import style_file

Make = Callable[..., EditResult]


def test_every_field_of_the_request_is_in_the_record(make: Make) -> None:
    document = describe(make(seed=7, negative_prompt="red", steps=3))
    assert set(document.request) == {each.name for each in fields(EditRequest)} - APART
    assert document.request["seed"] == 7
    assert document.request["negative_prompt"] == "red"
    assert document.request["steps"] == 3


def test_nothing_is_left_to_defaults(make: Make) -> None:
    result = make(strength=None)
    request = describe(result).request
    assert request["strength"] == 0.5
    assert request["full_steps"] == result.plan.full_steps
    assert request["guidance_scale"] is not None
    assert request["precision"] == result.precision


def test_hashes_and_how_it_was_made(make: Make, png: bytes) -> None:
    result = make()
    document = describe(result)
    assert document.source is not None
    assert document.source.sha256 == sha256(png).hexdigest()
    assert document.source.size == len(png)
    assert document.model == "analytic"
    made = document.made
    assert (made.mode, made.precision) == (result.mode, result.precision)
    assert made.evaluations == result.evaluations
    assert made.noise_fraction == result.plan.noise_fraction
    assert made.size == result.image.size
    assert made.pixels == digest_of(result.image)


def test_embedded_models_have_a_fingerprint(make: Make) -> None:
    document = describe(make(model="pocket", prompt="fox", full_steps=2))
    assert document.model == "pocket"
    assert document.fingerprint is not None


def test_strength_zero_ran_nothing(make: Make) -> None:
    document = describe(make(strength=0))
    assert (document.model, document.fingerprint) == (None, None)
    assert document.made.digital_source is None
    assert document.request["strength"] == 0


def test_text_to_image_records_its_size(make: Make) -> None:
    result = make(source=None, strength=None, size=(40, 24))
    document = describe(result)
    assert document.source is None
    assert document.request["size"] == (40, 24)


@pytest.mark.parametrize(
    ("source", "folder", "name"),
    [
        ("work/cat.png", "work", "cat.png"),
        ("work/cat.png", "work/out", "../cat.png"),
        ("work/cat.png", "work/out/today", "../../cat.png"),
        ("work/cat.png", "work/out/today/late", "cat.png"),
        ("work/in/cat.png", "work", "cat.png"),
        ("/secret/place/cat.png", "work", "cat.png"),
        ("work/cat.png", None, "cat.png"),
        (None, "work", None),
    ],
)
def test_names_tell_no_folders(
    make: Make, source: str | None, folder: str | None, name: str | None
) -> None:
    result = replace(make(), names=Names(source))
    document = describe(result, None if folder is None else Path(folder))
    assert document.source is not None
    assert document.source.name == name


def test_styles_of_the_bank_go_by_name(make: Make) -> None:
    style = style_file("watercolour").read_bytes()
    result = make(model=None, references=(style,), prompt="", strength=0.2, full_steps=2)
    (file,) = describe(result).files["references"]
    assert (file.style, file.name) == ("watercolour", None)
    assert file.sha256 == sha256(style).hexdigest()
    assert describe(result).made.digital_source == "compositeSynthetic"


def test_digests_are_equal_where_pictures_are() -> None:
    flat = Image.new("RGB", (4, 6), (1, 2, 3))
    assert digest_of(flat) == digest_of(flat.copy())
    others = [
        Image.new("RGB", (6, 4), (1, 2, 3)),
        Image.new("RGB", (4, 6), (1, 2, 4)),
        flat.convert("RGBA"),
        flat.convert("P"),
        Image.fromarray(np.zeros((6, 4), np.uint8)),
    ]
    assert len({digest_of(image) for image in (flat, *others)}) == 6
    red, blue = flat.convert("P"), flat.convert("P")
    blue.putpalette([0, 0, 255] * 256)
    assert digest_of(red) != digest_of(blue)
