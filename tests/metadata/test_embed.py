"""The record in a file and out again, in each format; what the source carried stays."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image

from partway.images import Carried
from partway.metadata import Document, exif, read_metadata, xmp
from partway.metadata.describe import describe
from partway.metadata.document import from_json, to_json
from partway.metadata.embed import GENERATION, PARTWAY, SEGMENT, embed, without
from partway.result import EditResult

Make = Callable[..., EditResult]
PROMPT = 'navy: "a, b"\nsecond line, кот 😺 \\ {x} <lora:a:0.5>'


def written(result: EditResult) -> Document:
    """Its record as it is read again."""
    return from_json(to_json(describe(result)))


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP"])
def test_a_file_says_all_of_it(make: Make, format_name: str) -> None:
    result = make(prompt=PROMPT, negative_prompt="Steps: 3, red")
    data, note = result.encode(format_name)
    metadata = read_metadata(data)
    assert note is None
    assert metadata.document == written(result)
    assert metadata.tool == "Partway"
    assert metadata.digital_source == "compositeSynthetic"
    assert metadata.recipe is not None
    assert metadata.recipe.prompt == PROMPT
    assert metadata.recipe.negative_prompt == "Steps: 3, red"
    assert metadata.recipe.values["seed"] == "1"


def test_the_record_is_not_in_the_way_of_the_pixels(make: Make) -> None:
    result = make()
    data, _ = result.encode("PNG")
    with Image.open(io.BytesIO(data)) as image:
        assert image.tobytes() == result.image.tobytes()


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP"])
def test_no_metadata_says_nothing(make: Make, format_name: str) -> None:
    data, note = make().encode(format_name, metadata=False)
    metadata = read_metadata(data)
    assert note is None
    assert (metadata.document, metadata.recipe, metadata.digital_source) == (None, None, None)
    assert b"artway" not in data


def test_formats_without_a_place_say_so(make: Make) -> None:
    data, note = make().encode("BMP")
    assert note is not None
    assert "PNG has" in note
    assert read_metadata(data).document is None


@pytest.mark.parametrize("length", [20_000, 19_000])
def test_a_jpeg_holds_the_longest_prompts(make: Make, length: int) -> None:
    long = "".join(secrets.token_urlsafe(length))[:length]
    result = make(prompt=long, negative_prompt="é" * length)
    data, note = result.encode("JPEG")
    metadata = read_metadata(data)
    assert note is None
    assert metadata.document == written(result)
    assert metadata.recipe is not None
    assert long.startswith(metadata.recipe.prompt)
    assert len(metadata.recipe.prompt) > 5000


def test_a_jpeg_without_room_is_written_and_says_so(make: Make) -> None:
    noise = "".join(chr(0x4E00 + secrets.randbelow(20_000)) for _ in range(20_000))
    result = make(prompt=noise, negative_prompt=noise[::-1])
    data, note = result.encode("JPEG")
    assert note is not None
    assert "cannot be replayed" in note
    assert read_metadata(data).document is None
    assert read_metadata(data).recipe is not None


def test_what_the_source_carried_stays(make: Make) -> None:
    block = Image.Exif()
    block[0x010E], block[0x8298] = "a cat", "me"
    packet = xmp.write(None, record=None, digital_source="http://x/digitalCapture")
    carried = Carried(exif=block.tobytes(), xmp=packet, text={"Title": "Cat"})
    document = describe(make())
    png, _ = embed(carried, document, "PNG")
    assert png.text["Title"] == "Cat"
    jpeg, _ = embed(carried, document, "JPEG")
    assert jpeg.exif is not None
    assert exif.read(jpeg.exif, [0x010E])[0x010E].startswith(b"a cat")
    assert exif.read(jpeg.exif, [exif.USER_COMMENT])


def test_a_machines_picture_stays_one(make: Make) -> None:
    packet = xmp.write(None, record=None, digital_source="http://x/trainedAlgorithmicMedia")
    carried, _ = embed(Carried(xmp=packet), describe(make(model="pocket", full_steps=2)), "PNG")
    says = xmp.read(carried.xmp)[1]
    assert says is not None
    assert says.endswith("/trainedAlgorithmicMedia")
    plain, _ = embed(Carried(), describe(make(model="pocket", full_steps=2)), "PNG")
    says = xmp.read(plain.xmp)[1]
    assert says is not None
    assert says.endswith("/compositeWithTrainedAlgorithmicMedia")


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP"])
def test_only_the_latest_record_is_kept(make: Make, format_name: str) -> None:
    carried, _ = embed(Carried(), describe(make(prompt="red")), format_name)
    result = replace(make(prompt="blue"), carried=carried)
    data, _ = result.encode(format_name)
    assert read_metadata(data).document == written(result)
    assert b"red" not in data


def test_a_full_segment_of_the_source_gives_way(make: Make) -> None:
    block = Image.Exif()
    block[0x010E] = "x" * 60_000
    carried, note = embed(Carried(exif=block.tobytes()), describe(make(prompt="a" * 9000)), "JPEG")
    assert note is None
    assert carried.exif is not None
    assert len(carried.exif) <= SEGMENT
    assert exif.read(carried.exif, [0x010E])


def test_without_takes_settings_of_every_program_out() -> None:
    block = exif.with_comment(None, "a\nSteps: 1, Sampler: x, Seed: 1", "x")
    packet = xmp.write(None, record="{}", digital_source="http://x/digitalCapture")
    carried = Carried(exif=block, xmp=packet, text=dict.fromkeys(GENERATION, "x") | {"Title": "t"})
    left = without(carried)
    assert left.text == {"Title": "t"}
    assert left.exif is not None
    assert exif.USER_COMMENT not in exif.read(left.exif)
    assert xmp.read(left.xmp) == (None, "http://x/digitalCapture")
    assert PARTWAY in GENERATION
