"""A result as the next source: what is taken over, and that nothing else is."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from partway.errors import InputsDiffer, NoMetadata
from partway.families import profile_of
from partway.metadata import Document, Metadata, read_metadata
from partway.metadata.document import file_of
from partway.metadata.fingerprint import fingerprint_of
from partway.metadata.refine import TAKEN, parent_of, refine_of
from partway.noise import MAX_SEED
from partway.request import EditRequest
from partway.result import EditResult
from partway.styles import style_file

Make = Callable[..., EditResult]
SETTINGS = {
    "prompt": "navy", "negative_prompt": "red", "dial": "noise", "steps": 4,
    "sampler": "euler_ancestral", "spacing": "karras", "guidance_scale": 2.0,
    "guidance_interval": (0.1, 0.9), "working_multiple": 2,
}  # fmt: skip


def refined(data: bytes, metadata: Metadata | None = None, **given: Any) -> EditRequest:
    return refine_of(data, metadata or read_metadata(data), None, **given)[0]


@pytest.fixture
def data(make: Make) -> bytes:
    return make(**SETTINGS, seed=5).encode("PNG")[0]


def test_its_own_settings_and_the_next_seed(data: bytes) -> None:
    request = refined(data, strength=0.25)
    for name, value in SETTINGS.items():
        assert getattr(request, name) == value, name
    assert request.seed == 6
    assert request.source == data
    assert request.strength == 0.25
    assert request.model == "analytic"


def test_a_calibration_goes_with_its_model(make: Make) -> None:
    curve = (0.0, 0.0, 0.5, 0.4, 1.0, 1.0)
    data = make(gain=1.5, curve=curve, dial="perceptual").encode("PNG")[0]
    assert (refined(data).gain, refined(data).curve) == (1.5, curve)
    other = refined(data, model="pocket")
    assert (other.gain, other.curve) == (None, None)


def test_the_last_seed_is_followed_by_the_first(make: Make) -> None:
    assert refined(make(seed=MAX_SEED).encode("PNG")[0]).seed == 0


def test_what_the_person_says_comes_first(data: bytes) -> None:
    request = refined(
        data, prompt="orange", model="pocket", full_steps=9, seed=77, negative_prompt="",
        guidance_scale=1.0, strength=0.4,
    )  # fmt: skip
    assert (request.prompt, request.model, request.seed) == ("orange", "pocket", 77)
    assert (request.full_steps, request.steps) == (9, None)
    assert (request.negative_prompt, request.guidance_scale) == ("", 1.0)
    assert request.strength == 0.4


def test_the_list_of_what_is_taken_is_whole() -> None:
    names = {each.name for each in fields(EditRequest)}
    apart = {"source", "strength", "seed", "model", "gain", "curve", "references", "size"}
    apart |= {"strength_map", "mask", "alpha_mask", "mask_invert", "mask_grow", "mask_feather"}
    apart |= {"fill", "only_masked", "padding"}  # a refinement is of the whole picture
    apart |= {"extend", "scale"}  # and of the size it has
    apart |= {"dialect", "loras"}  # a refinement is our own; adapters go with the model
    assert set(TAKEN) == names - apart


def test_its_style_unless_words_come_in_its_place(make: Make) -> None:
    style = style_file("linen-wood").read_bytes()
    data = make(
        model=None, prompt="", references=(style,), keep_colors=True, full_steps=2, strength=0.3
    ).encode("PNG")[0]
    request = refined(data)
    assert request.references == (style,)
    assert request.keep_colors
    other = style_file("pencil").read_bytes()
    assert refined(data, references=[other]).references == (other,)
    words = refined(data, prompt="fox")
    assert (words.references, words.keep_colors, words.model) == ((), False, None)


def test_a_style_in_place_of_words_brings_its_own_model(data: bytes) -> None:
    style = style_file("pencil").read_bytes()
    request = refined(data, references=[style])
    assert (request.references, request.model) == ((style,), None)


def test_from_another_program_only_its_prompts(png: bytes) -> None:
    info = PngInfo()
    info.add_text(
        "parameters",
        "a cat\nNegative prompt: dog\nSteps: 150, Sampler: DPM++ 2M, CFG scale: 30, Seed: 5, "
        "Size: 9000x9000, Model: evil, Denoising strength: 0.99",
    )
    stream = io.BytesIO()
    Image.open(io.BytesIO(png)).save(stream, "PNG", pnginfo=info)
    data = stream.getvalue()
    request, notes = refine_of(data, read_metadata(data), None, strength=0.25)
    expected = EditRequest(prompt="a cat", negative_prompt="dog", source=data, strength=0.25)
    assert request == expected
    assert "nothing else" in notes[0]


def test_a_file_that_says_nothing_needs_a_prompt(png: bytes) -> None:
    with pytest.raises(NoMetadata, match="add a PROMPT"):
        refined(png)
    assert refined(png, prompt="navy") == EditRequest(prompt="navy", source=png)


@pytest.mark.parametrize("name", ["/srv/evil", "someone/sd15"])
def test_a_file_does_not_choose_what_runs(data: bytes, name: str) -> None:
    metadata = read_metadata(data)
    assert metadata.document is not None
    hostile = replace(metadata.document, model=name, request={"prompt": "a", "model": name})
    with pytest.raises(InputsDiffer, match="-m FOLDER"):
        refined(data, replace(metadata, document=hostile))
    own = replace(hostile, model="analytic", fingerprint=None)
    assert refined(data, replace(metadata, document=own)).model == "analytic"


def test_a_lora_goes_with_its_model(data: bytes, tmp_path: Path) -> None:
    metadata = read_metadata(data)
    document = metadata.document
    assert document is not None
    asked = {**document.request, "loras": ["film.safetensors:0.8"]}
    listed = {**document.files, "loras": (file_of(b"weights", "film.safetensors"),)}
    document = replace(document, request=asked, files=listed)

    def refined_by(document: Document, **given: Any) -> tuple[EditRequest, list[str]]:
        return refine_of(data, replace(metadata, document=document), tmp_path, **given)

    with pytest.raises(InputsDiffer, match="--lora FILE"):
        refined_by(document)
    given, _ = refined_by(document, loras=("other.safetensors:2",))
    assert given.loras == ("other.safetensors:2",)
    file = tmp_path / "film.safetensors"
    file.write_bytes(b"weights")
    assert refined_by(document)[0].loras == (f"{file}:0.8",)
    other, notes = refined_by(document, model="pocket")
    assert other.loras == ()
    assert "its LoRA" in notes[0]
    known = fingerprint_of(profile_of("pocket"))
    named, _ = refined_by(replace(document, model="a", fingerprint=known), model="pocket")
    assert named.loras == (f"{file}:0.8",)


def test_parents_are_named_by_their_bytes(data: bytes) -> None:
    assert parent_of(data) != parent_of(data + b"\0")
    assert len(parent_of(data)) == 64
