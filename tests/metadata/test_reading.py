"""What files say, whoever wrote them, and hostile ones too."""

from __future__ import annotations

import io
import json
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from partway.errors import UnreadableImage
from partway.metadata import exif, read_metadata
from partway.result import EditResult

Make = Callable[..., EditResult]
BLOCK = "a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 4x4, Version: v1.10.1"
GRAPH = {"3": {"inputs": {"steps": 9, "cfg": 2.0, "seed": 5, "positive": ["6", 0]}},
         "6": {"inputs": {"text": "a cat"}}}  # fmt: skip
INVOKE = {"positive_prompt": "a cat", "seed": 5, "steps": 9}


def saved(format_name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (9, 8, 7)).save(stream, format_name, **options)
    return stream.getvalue()


def png(**texts: str) -> bytes:
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key.replace("_", "-") if key == "sd_metadata" else key, value)
    return saved("PNG", pnginfo=info)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def with_comment(text: str) -> bytes:
    return exif.with_comment(None, text, "x")


def comfyui_webp() -> bytes:
    block = Image.Exif()
    block[exif.MODEL] = "prompt:" + json.dumps(GRAPH)
    block[exif.MAKE] = "workflow:" + json.dumps({"nodes": []})
    return saved("WEBP", exif=block)


@pytest.mark.parametrize(
    ("data", "tool"),
    [
        (png(parameters=BLOCK), "A1111"),
        (saved("JPEG", exif=with_comment(BLOCK)), "A1111"),
        (saved("WEBP", exif=with_comment(BLOCK)), "A1111"),
        (saved("AVIF", exif=with_comment(BLOCK)), "A1111"),
        (saved("TIFF", exif=with_comment(BLOCK)), "A1111"),
        (saved("GIF", comment=BLOCK), "A1111"),
        (saved("JPEG", comment=BLOCK), "A1111"),
        (png(prompt=json.dumps(GRAPH)), "ComfyUI"),
        (comfyui_webp(), "ComfyUI"),
        (png(invokeai_metadata=json.dumps(INVOKE)), "InvokeAI"),
        (png(parameters=BLOCK.replace("v1.10.1", "Fooocus v2.5.5")), "Fooocus"),
        (
            saved("JPEG", comment=json.dumps({"prompt": "a cat", "base_model": "x", "seed": 5})),
            "Fooocus",
        ),
    ],
)
def test_pictures_of_other_programs(data: bytes, tool: str) -> None:
    metadata = read_metadata(data)
    assert metadata.tool == tool
    assert metadata.document is None
    assert metadata.notes == ()
    assert metadata.recipe is not None
    assert metadata.recipe.prompt == "a cat"
    assert metadata.recipe.values["seed"] == "5"


def test_plain_facts() -> None:
    cms: Any = ImageCms
    profile = cms.ImageCmsProfile(cms.createProfile("sRGB")).tobytes()
    metadata = read_metadata(saved("PNG", icc_profile=profile))
    assert (metadata.format, metadata.size, metadata.mode) == ("PNG", (4, 4), "RGB")
    assert metadata.profile is not None
    assert "sRGB" in metadata.profile
    assert metadata.tool is None
    assert not metadata.animated
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    assert read_metadata(stream.getvalue()).animated


def test_text_behind_the_pixels_is_found() -> None:
    data = saved("PNG")
    late = chunk(b"tEXt", b"parameters\0" + BLOCK.encode())
    end = data.index(b"IEND") - 4
    assert read_metadata(data[:end] + late + data[end:]).tool == "A1111"


def test_what_is_no_picture_is_refused() -> None:
    for data in (b"", b"text", b"\x89PNG\r\n\x1a\n", saved("PNG")[:20]):
        with pytest.raises(UnreadableImage):
            read_metadata(data)


def test_a_broken_record_is_a_note_and_the_block_still_counts(make: Make) -> None:
    metadata = read_metadata(png(partway="{", parameters=BLOCK))
    assert metadata.document is None
    assert metadata.notes == ("the record is damaged: no JSON",)
    assert metadata.tool == "A1111"


@pytest.mark.parametrize("key", ["parameters", "prompt", "workflow", "invokeai_metadata"])
def test_what_cannot_be_understood_is_said(key: str) -> None:
    metadata = read_metadata(png(**{key: "nothing of the kind"}))
    assert metadata.tool is None
    assert metadata.notes == (f"its {key!r} text cannot be understood",)


@given(
    st.sampled_from(["parameters", "prompt", "workflow", "invokeai_metadata", "partway", "Dream"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300),
)
def test_any_text_in_a_png(key: str, text: str) -> None:
    read_metadata(png(**{key: text}))


@given(st.binary(max_size=400))
def test_any_bytes_as_exif_and_xmp(garbage: bytes) -> None:
    for format_name in ("JPEG", "WEBP"):
        read_metadata(saved(format_name, exif=b"Exif\0\0II*\0" + garbage, xmp=garbage))


@pytest.mark.parametrize(
    "data",
    [
        png(parameters="x" * 900_000),
        png(prompt="[" * 900_000),
        png(partway="[" * 900_000),
        png(workflow='{"nodes":[' + "{}," * 200_000 + "{}]}"),
        png(**{f"k{i}": "v" for i in range(5000)}),
        saved("WEBP", xmp=b"<x>" * 1_000_000),
        saved("WEBP", exif=b"Exif\0\0II*\0" + b"\xff" * 5_000_000),
        saved("JPEG", exif=with_comment("é" * 30_000)),
    ],
    ids=["text", "deep", "deep-record", "nodes", "count", "xmp", "exif", "comment"],
)
def test_large_texts_take_little_time(data: bytes) -> None:
    began = time.process_time()
    read_metadata(data)
    assert time.process_time() - began < 3.0


def test_a_text_that_unpacks_to_gigabytes_is_not_read() -> None:
    bomb = zlib.compress(bytes(512 * 2**20), 9)
    data = saved("PNG")
    packed = chunk(b"zTXt", b"parameters\0\0" + bomb)
    began = time.process_time()
    for place in (33, data.index(b"IEND") - 4):
        metadata = read_metadata(data[:place] + packed + data[place:])
        assert metadata.notes == ("its texts are too large or damaged, and were not read",)
    assert time.process_time() - began < 1.0
