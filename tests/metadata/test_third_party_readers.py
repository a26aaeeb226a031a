"""What sd-parsers and sd-prompt-reader, two widely used readers, find in our files."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from sd_parsers import ParserManager
from sd_parsers.data import Generators

from partway.metadata import read_metadata
from partway.result import EditResult

Make = Callable[..., EditResult]

# It calls its logger by a name that Python wants gone.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")

FORMATS = ("PNG", "JPEG", "WEBP")
PROMPT = "navy, (orange:1.2), кот 😺 <lora:a:0.5>"
NEGATIVE = "blurry, low: quality"


def by_prompt_reader(data: bytes) -> Any:
    # It demands an older Pillow, and a window toolkit for its window, so it is installed without
    # what it asks for (see the Makefile); its reader needs neither.
    reader = import_module("sd_prompt_reader.image_data_reader")
    return reader.ImageDataReader(io.BytesIO(data))


@pytest.fixture(params=FORMATS)
def written(request: pytest.FixtureRequest, make: Make) -> tuple[bytes, EditResult]:
    result = make(prompt=PROMPT, negative_prompt=NEGATIVE, seed=77, sampler="euler_ancestral")
    return result.encode(request.param)[0], result


def test_sd_parsers(written: tuple[bytes, EditResult]) -> None:
    data, _ = written
    found = ParserManager().parse(io.BytesIO(data))
    assert found is not None
    assert found.generator == Generators.AUTOMATIC1111
    assert found.full_prompt == PROMPT
    assert found.full_negative_prompt == NEGATIVE
    (sampler,) = found.samplers
    assert sampler.name == "Euler a"
    assert sampler.parameters["seed"] == "77"
    assert sampler.parameters["steps"] == "20"
    assert sampler.model is not None
    assert sampler.model.name == "analytic"
    ours = read_metadata(data).recipe
    assert ours is not None
    assert found.metadata["Denoising strength"] == ours.values["strength"]
    assert found.metadata["Partway strength"] == "0.45"
    assert found.metadata["Size"] == "96x64"


def test_sd_prompt_reader(written: tuple[bytes, EditResult]) -> None:
    data, _ = written
    found = by_prompt_reader(data)
    assert found.status.name == "READ_SUCCESS"
    assert found.tool == "A1111 webUI"
    assert found.positive == PROMPT
    assert found.negative == NEGATIVE
    assert found.parameter["seed"] == "77"
    assert found.parameter["sampler"] == "Euler a"
    assert found.parameter["steps"] == "20"
    assert found.parameter["size"] == "96x64"
    assert found.parameter["model"] == "analytic"
    assert "Partway strength: 0.45" in found.setting


@pytest.mark.parametrize("format_name", FORMATS)
def test_they_find_nothing_where_nothing_was_to_be_written(make: Make, format_name: str) -> None:
    data, _ = make().encode(format_name, metadata=False)
    assert ParserManager().parse(io.BytesIO(data)) is None
    if format_name == "PNG":  # of other files without EXIF, sd-prompt-reader raises
        assert not by_prompt_reader(data).tool
