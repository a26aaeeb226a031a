"""A1111's block: written so that every reader takes it apart, read from whoever wrote it."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.metadata import Document, File, Made, infotext
from partway.strength import start_noise_fraction

SOURCE = {"source": (File(sha256="0" * 64, size=1),)}
REQUEST = {
    "prompt": "a fox",
    "negative_prompt": "blurry",
    "strength": 0.45,
    "dial": "standard",
    "steps": None,
    "full_steps": 20,
    "sampler": "euler",
    "spacing": "karras",
    "guidance_scale": 3.0,
    "seed": 7,
}
MADE = Made(noise_fraction=0.6459, size=(96, 64), evaluations=13, kept={"structure": 0.8})
DOCUMENT = Document(
    request=REQUEST, files=SOURCE, model="pocket", made=MADE, program="Partway 0.1.0"
)

A1111 = """a cat, (detailed:1.2) <lora:fur:0.8>
second line
Negative prompt: blurry,
bad
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 965400086, Size: 512x768, \
Model hash: 6ce0161689, Model: v1-5-pruned, Denoising strength: 0.45, Mask blur: 4, \
Lora hashes: "fur: 1234, b: 5", Version: v1.10.1"""
FORGE = "a\nSteps: 4, Sampler: Euler, CFG scale: 1, Seed: 1, Size: 8x8, Version: f2.0.1v1.10.1"


def settings(block: str) -> dict[str, str]:
    return dict(re.findall(r"([^:,]+): ([^,]+)(?:, |$)", block.rsplit("\n", 1)[-1]))


def test_the_layout_is_a1111s() -> None:
    lines = infotext.write(DOCUMENT).split("\n")
    assert lines[0] == "a fox"
    assert lines[1] == "Negative prompt: blurry"
    assert lines[2].startswith(
        "Steps: 20, Sampler: Euler, Schedule type: Karras, CFG scale: 3, Seed: 7, Size: 96x64, "
        "Model: pocket, Denoising strength: "
    )
    assert len(lines) == 3


def test_the_strength_is_a1111s_and_ours_stands_beside_it() -> None:
    found = settings(infotext.write(DOCUMENT))
    theirs = float(found["Denoising strength"])
    assert start_noise_fraction(theirs, "sd1") == pytest.approx(MADE.noise_fraction, abs=1e-3)
    assert theirs != 0.45
    assert found["Partway strength"] == "0.45"
    assert found["Partway dial"] == "standard"


@given(st.floats(0, 1))
def test_a1111s_strength_starts_from_the_same_noise(strength: float) -> None:
    noise = start_noise_fraction(strength, "sd1")
    assert infotext.a1111_strength(noise) == pytest.approx(strength, abs=1e-9)


def test_exact_steps_are_a_share_of_a1111s_run() -> None:
    exact = Document(request=REQUEST | {"steps": 8, "full_steps": None}, files=SOURCE, made=MADE)
    found = settings(infotext.write(exact))
    assert round(int(found["Steps"]) * float(found["Denoising strength"])) == 8


def test_text_to_image_has_no_strength() -> None:
    found = settings(infotext.write(Document(request=REQUEST, made=Made(noise_fraction=1.0))))
    assert "Denoising strength" not in found
    assert found["Steps"] == "20"


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_value_is_torn_apart(name: str, model: str) -> None:
    files = SOURCE | {"references": (File(sha256="0" * 64, size=1, name=name),)}
    document = Document(request=REQUEST, files=files, model=model, made=MADE)
    line = infotext.write(document).rsplit("\n", 1)[-1]
    assert '"' not in line
    for pair in line.split(", "):
        assert pair.count(":") == 1


@given(st.text(max_size=300), st.text(max_size=300))
def test_prompts_survive(prompt: str, negative: str) -> None:
    document = Document(
        request=REQUEST | {"prompt": prompt, "negative_prompt": negative}, files=SOURCE, made=MADE
    )
    found = infotext.parse(infotext.write(document))
    assert found is not None
    assert found.values["seed"] == "7"
    if "Negative prompt:" not in prompt:
        assert found.prompt == infotext._words(prompt)  # pyright: ignore[reportPrivateUsage]
        assert found.negative_prompt == infotext._words(negative)  # pyright: ignore[reportPrivateUsage]


def test_a1111s_own_block() -> None:
    found = infotext.parse(A1111)
    assert found is not None
    assert found.tool == "A1111"
    assert found.prompt == "a cat, (detailed:1.2) <lora:fur:0.8>\nsecond line"
    assert found.negative_prompt == "blurry,\nbad"
    assert found.values["sampler"] == "DPM++ 2M"
    assert found.values["scheduler"] == "Karras"
    assert found.values["strength"] == "0.45"
    assert found.values["size"] == "512x768"
    assert found.values["Lora hashes"] == "fur: 1234, b: 5"
    assert found.values["Mask blur"] == "4"


@pytest.mark.parametrize(
    ("block", "tool"),
    [
        (FORGE, "Forge"),
        (FORGE.replace("f2.0.1v1.10.1", "Fooocus v2.5.5"), "Fooocus"),
        (FORGE.replace("f2.0.1v1.10.1", "stable-diffusion.cpp"), "stable-diffusion.cpp"),
        (FORGE.replace("f2.0.1v1.10.1", "ComfyUI"), "ComfyUI"),
        (FORGE.replace("Version: f2.0.1v1.10.1", "App: SD.Next"), "SD.Next"),
        (FORGE.replace("f2.0.1v1.10.1", "Partway 9"), "Partway"),
        (FORGE.replace(", Version: f2.0.1v1.10.1", ""), "A1111"),
    ],
)
def test_who_wrote_a_block(block: str, tool: str) -> None:
    found = infotext.parse(block)
    assert found is not None
    assert found.tool == tool


@pytest.mark.parametrize("text", ["", "a cat", "a: b, c: d", "Seed: 1, Size: 2x2, CFG scale: 3",
                                  "Steps: 1, Seed: 2", "\n\n\n"])  # fmt: skip
def test_plain_text_is_no_block(text: str) -> None:
    assert infotext.parse(text) is None


@given(st.text(alphabet='abS:, "\\\n-/1é', max_size=400))
def test_any_text_is_understood_or_not(text: str) -> None:
    infotext.parse(text)
    infotext.parse(f"{text}\nSteps: 1, Sampler: a, Seed: 2, {text}")


@pytest.mark.parametrize(
    "text", ['a:"' * 500_000, ":" * 10**6, "a:," * 300_000, '"\\' * 500_000, "\n" * 10**6,
             "Steps: 1, Seed: 2, " + "k: v, " * 200_000, "Negative prompt:\n" * 60_000]
)  # fmt: skip
def test_long_texts_take_little_time(text: str) -> None:
    began = time.process_time()
    infotext.parse(text)
    assert time.process_time() - began < 2.0
