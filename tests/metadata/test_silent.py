"""Strength 0 with --no-metadata: the file's own pixels, and nothing said of how they were made."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from partway import edit
from partway.metadata import read_metadata
from partway.metadata.silent import silent
from partway.result import EditResult

Make = Callable[..., EditResult]


def pixels(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("length", [1, 19_000])
def test_a_result_copied_tells_nothing(make: Make, format_name: str, length: int) -> None:
    made, _ = make(prompt="a secret " + "x" * length, negative_prompt="é").encode(format_name)
    untouched = edit(made, "anything", strength=0)
    assert untouched.encode(format_name)[0] == made
    data, note = untouched.encode(format_name, metadata=False)
    assert note is None
    assert np.array_equal(pixels(data), pixels(made))
    found = read_metadata(data)
    assert (found.document, found.recipe, found.notes) == (None, None, ())
    assert "secret".encode("utf-16-be") not in data
    assert b"secret" not in data


def test_what_says_nothing_stays_as_it_is(icon: Image.Image) -> None:
    stream = io.BytesIO()
    icon.convert("RGB").save(stream, "JPEG", comment="Created with GIMP")
    assert silent(stream.getvalue()) == stream.getvalue()


@pytest.mark.parametrize("strength", [0, 0.5])
def test_a_graph_in_a_cameras_place_goes_too(icon: Image.Image, strength: float) -> None:
    inputs = {"steps": 20, "cfg": 7, "seed": 1, "positive": ["2", 0]}
    graph = {"1": {"inputs": inputs}, "2": {"inputs": {"text": "a secret"}}}
    block = Image.Exif()
    block[0x0110], block[0x013B] = f"prompt:{json.dumps(graph)}", "an artist"
    stream = io.BytesIO()
    icon.convert("RGB").save(stream, "WEBP", exif=block)
    assert read_metadata(stream.getvalue()).tool == "ComfyUI"
    result = edit(stream.getvalue(), "navy", strength=strength, model="analytic", steps=1)
    data, note = result.encode("WEBP", metadata=False)
    assert (note is None) == (strength > 0)  # nothing hidden there could be blanked
    assert read_metadata(data).recipe is None
    assert b"secret" not in data
    assert b"an artist" in data


def test_of_a_png_the_texts_go() -> None:
    """16 bits per colour are copied, too."""
    stream = io.BytesIO()
    Image.new("I;16", (8, 8), 700).save(stream, "PNG")
    plain = stream.getvalue()
    info = b"tEXtparameters\0a secret\nSteps: 2, Sampler: x, Seed: 1"
    title = b"tEXtTitle\0Cat"
    chunks = [len(each[4:]).to_bytes(4, "big") + each + _crc(each) for each in (info, title)]
    data = plain[:33] + chunks[0] + chunks[1] + plain[33:]
    assert read_metadata(data).recipe is not None
    copied, note = edit(data, "navy", strength=0).encode("PNG", metadata=False)
    assert note is None
    assert copied == plain[:33] + chunks[1] + plain[33:]


def _crc(chunk: bytes) -> bytes:
    return zlib.crc32(chunk).to_bytes(4, "big")
