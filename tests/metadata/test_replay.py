"""From a record to the same picture; what differs is an error, and a file chooses nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partway.engine import Engine
from partway.errors import InputsDiffer, InvalidRequest, NoMetadata, PartwayError
from partway.metadata import Document, read_metadata
from partway.metadata.document import file_of
from partway.metadata.replay import is_same, record_of, replay_of
from partway.result import EditResult, Names
from partway.styles import style_file

Make = Callable[..., EditResult]

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "zero": {"strength": 0.0},
    "tiny": {"strength": 0.0123456789},
    "one": {"strength": 1.0},
    "steps": {"steps": 3, "seed": 2**32 - 1},
    "settings": {"sampler": "euler_ancestral", "spacing": "karras", "dial": "noise",
                 "negative_prompt": "red", "guidance_scale": 2.5, "guidance_interval": (0.1, 0.8)},
    "words": {"prompt": "navy, \"é\" 😺\n\x07 'x'"},
    "no source": {"source": None, "strength": None, "size": (33, 21)},
    "network": {"model": "pocket", "prompt": "fox", "full_steps": 3},
    "style": {"model": None, "prompt": "", "references": (style_file("linen-wood").read_bytes(),),
              "full_steps": 2, "keep_colors": True},
}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "format_name"),
    [*((case, "PNG") for case in CASES), ("words", "JPEG"), ("words", "WEBP")],
)
def test_the_same_picture_again(
    make: Make, png: bytes, tmp_path: Path, case: str, format_name: str
) -> None:
    (tmp_path / "cat.png").write_bytes(png)
    result = replace(make(**CASES[case]), names=Names(str(tmp_path / "cat.png")))
    data, _ = result.encode(format_name, tmp_path)
    document = record_of(read_metadata(data))
    found = replay_of(document, tmp_path)
    again = Engine().run(found.request)
    assert np.array_equal(np.asarray(again.image), np.asarray(result.image))
    assert is_same(again, document)
    assert found.notes == ()


@pytest.fixture
def document(make: Make, png: bytes, tmp_path: Path) -> Document:
    (tmp_path / "cat.png").write_bytes(png)
    result = replace(make(), names=Names(str(tmp_path / "cat.png")))
    return record_of(read_metadata(result.encode("PNG", tmp_path)[0]))


def test_a_renamed_source_is_found_by_its_bytes(document: Document, tmp_path: Path) -> None:
    (tmp_path / "cat.png").rename(tmp_path / "dog.png")
    (tmp_path / "other.png").write_bytes(b"x" * (document.source.size if document.source else 0))
    assert replay_of(document, tmp_path).request.source == (tmp_path / "dog.png").read_bytes()


def test_a_source_that_is_gone(document: Document, tmp_path: Path, png: bytes) -> None:
    (tmp_path / "cat.png").unlink()
    with pytest.raises(InputsDiffer, match=r"'cat.png' is not beside .* --source FILE"):
        replay_of(document, tmp_path)
    assert replay_of(document, tmp_path, source=png).request.source == png
    assert replay_of(document, None, source=png).request.source == png
    with pytest.raises(InputsDiffer, match="anywhere"):
        replay_of(document, None)


@pytest.mark.parametrize(
    ("named", "option"),
    [
        ({"references": [b"x"]}, "without a style picture: leave --style out"),
        ({"loras": ["x.safetensors"]}, "without a LoRA: leave --lora out"),
        ({"mask": b"x"}, "without a mask: leave --mask out"),
    ],
)
def test_what_it_was_made_without_is_not_passed_over(
    document: Document, tmp_path: Path, named: dict[str, Any], option: str
) -> None:
    with pytest.raises(InputsDiffer, match=option):
        replay_of(document, tmp_path, **named)


@pytest.mark.parametrize(
    "named", [[], ["film.safetensors"], ["film.safetensors:/etc/x.safetensors"], "film:1", [3]]
)
def test_a_lora_without_a_weight_is_damage_and_no_other_file(
    document: Document, tmp_path: Path, named: Any
) -> None:
    file = tmp_path / "film.safetensors"
    file.write_bytes(b"weights")
    listed = {**document.files, "loras": (file_of(b"weights", file.name),)}
    asked = {**document.request, "loras": named}
    with pytest.raises(NoMetadata, match="LoRA and their weights"):
        replay_of(replace(document, request=asked, files=listed), tmp_path)
    asked["loras"] = ["film.safetensors:0.5"]
    with pytest.raises(NoMetadata, match="LoRA and their weights"):  # named, and not listed
        replay_of(replace(document, request=asked), tmp_path)
    found = replay_of(replace(document, request=asked, files=listed), tmp_path).request
    assert found.loras == (f"{file}:0.5",)


def test_a_source_that_differs(document: Document, tmp_path: Path, png: bytes) -> None:
    other = png + b"\0"
    (tmp_path / "cat.png").write_bytes(other)
    for given in (None, other):
        with pytest.raises(InputsDiffer, match=r"SHA-256 differs.*--anyway"):
            replay_of(document, tmp_path, source=given)
        found = replay_of(document, tmp_path, source=given, anyway=True)
        assert found.request.source == other
        assert "SHA-256 differs" in found.notes[0]


def test_a_style_that_differs(make: Make, tmp_path: Path, png: bytes) -> None:
    result = make(model=None, prompt="", references=(png,), full_steps=2, strength=0.3)
    document = record_of(read_metadata(result.encode("PNG")[0]))
    with pytest.raises(InputsDiffer, match=r"style picture .* --style FILE"):
        replay_of(document, tmp_path, source=png)
    (tmp_path / "found.png").write_bytes(png)
    assert replay_of(document, tmp_path).request.references == (png,)
    with pytest.raises(InputsDiffer, match="SHA-256 differs"):
        replay_of(document, tmp_path, references=[png + b"\0"])


def test_a_model_that_differs(document: Document, tmp_path: Path) -> None:
    other = replace(document, model="pocket", fingerprint="0" * 64)
    with pytest.raises(InputsDiffer, match="fingerprints"):
        replay_of(other, tmp_path)
    found = replay_of(other, tmp_path, anyway=True)
    assert found.request.model == "pocket"
    assert "fingerprints" in found.notes[0]


@pytest.mark.parametrize("name", ["/srv/evil", "../evil", "someone/sd15"])
def test_a_file_does_not_choose_what_runs(document: Document, tmp_path: Path, name: str) -> None:
    foreign = replace(document, model=name, fingerprint="0" * 64)
    with pytest.raises(InputsDiffer, match=r"does not come with Partway.*-m FOLDER"):
        replay_of(foreign, tmp_path, anyway=True)
    with pytest.raises(InputsDiffer, match="fingerprints"):
        replay_of(foreign, tmp_path, model="pocket")


def test_a_model_field_in_the_request_is_not_taken(document: Document, tmp_path: Path) -> None:
    hostile = replace(document, request={**document.request, "model": "/srv/evil"})
    assert replay_of(hostile, tmp_path).request.model == "analytic"


def test_fields_of_a_newer_version(document: Document, tmp_path: Path) -> None:
    newer = replace(document, request={**document.request, "sparkle": 3})
    with pytest.raises(NoMetadata, match=r"'sparkle'.*--anyway"):
        replay_of(newer, tmp_path)
    assert "sparkle" in replay_of(newer, tmp_path, anyway=True).notes[0]


@pytest.mark.parametrize(
    "change",
    [
        {"strength": 2}, {"strength": "half"}, {"steps": 10**9}, {"seed": -1}, {"prompt": 5},
        {"prompt": "x" * 20_001}, {"sampler": 5}, {"dial": "loud"}, {"guidance_interval": "ab"},
        {"working_multiple": 99}, {"precision": "fp1"}, {"references": "x"}, {"source": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_values_no_request_may_have(
    document: Document, tmp_path: Path, change: dict[str, Any]
) -> None:
    hostile = replace(document, request={**document.request, **change})
    name = next(iter(change))
    if name in {"references", "source"}:  # files are taken from the list of files only
        assert isinstance(replay_of(hostile, tmp_path).request.source, bytes)
        return
    with pytest.raises(PartwayError):
        replay_of(hostile, tmp_path)


def test_a_file_may_not_ask_for_a_giant_picture(make: Make) -> None:
    result = make(source=None, strength=None, size=(8, 8))
    document = record_of(read_metadata(result.encode("PNG")[0]))
    giant = replace(document, request={**document.request, "size": [16_000, 16_000]})
    with pytest.raises(InvalidRequest, match="megapixels"):
        replay_of(giant, None)


def test_a_source_for_what_had_none(make: Make, png: bytes) -> None:
    result = make(source=None, strength=None, size=(8, 8))
    document = record_of(read_metadata(result.encode("PNG")[0]))
    with pytest.raises(InputsDiffer, match="without a source"):
        replay_of(document, None, source=png)


def test_cautions(document: Document, tmp_path: Path) -> None:
    shared = replace(document, made=replace(document.made, mode="shared"), program="Partway 99")
    notes = replay_of(shared, tmp_path).notes
    assert "agrees within rounding" in notes[0]
    assert "Partway 99" in notes[1]


def test_other_pixels_are_noticed(make: Make, document: Document) -> None:
    assert is_same(make(seed=2), document) is False
    assert is_same(make(), document) is True
    assert is_same(make(), replace(document, made=replace(document.made, pixels=None))) is None


def test_files_without_a_record(png: bytes) -> None:
    with pytest.raises(NoMetadata, match="partway refine"):
        record_of(read_metadata(png))
    metadata = replace(read_metadata(png), tool="A1111")
    with pytest.raises(NoMetadata, match="made by A1111"):
        record_of(metadata)
    with pytest.raises(NoMetadata, match="broken thing"):
        record_of(replace(metadata, notes=("broken thing",)))
