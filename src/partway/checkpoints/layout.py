"""Folders in diffusers' layout: an index, and a folder per component.

    model_index.json                   {"_class_name": "StableDiffusionPipeline",
                                        "unet": ["diffusers", "UNet2DConditionModel"], …}
    unet/config.json                   settings of the network
    unet/*.safetensors                 its weights
    scheduler/scheduler_config.json    the levels it was trained on
    tokenizer/…                        vocabulary

Weights are read from .safetensors only, and no code that comes with a checkpoint is run: a folder
that needs either is refused here, before any library opens it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

from partway.errors import ModelError

Configs: TypeAlias = Mapping[str, Mapping[str, Any]]

INDEX = "model_index.json"
CONFIG_FILES = ("config.json", "scheduler_config.json", "tokenizer_config.json")
LIBRARIES = {"diffusers", "transformers"}
# Parts of pipelines that no edit needs.
UNUSED = ("safety_checker", "feature_extractor", "image_encoder")
# Parts that a checkpoint may come without: Stable Diffusion 3's T5.
OPTIONAL = ("text_encoder_3", "tokenizer_3")
READERS = ("tokenizer", "feature_extractor", "image_processor", "processor")  # of words, pictures
WEIGHTLESS = ("scheduler", *READERS)
# In names of weights in half precision, whole or in parts: model.fp16-00001-of-00002.safetensors
HALF = re.compile(r"\.fp16[.-]")


def read(folder: Path) -> tuple[str, Configs]:
    """Class name of the pipeline, and the configs of its components.

    ModelError where the index cannot be understood, a component brings code of its own, or its
    settings are not there.
    """
    pipeline = _json(folder / INDEX).get("_class_name")
    if not isinstance(pipeline, str):
        raise ModelError(f"{folder} needs code of its own to run ({INDEX}), which is refused")
    configs = {name: _config(folder / name) for name in components(folder)}
    for name, config in configs.items():
        if not config and not name.startswith(READERS):
            file = "scheduler_config.json" if name == "scheduler" else "config.json"
            raise ModelError(f"{folder} is not complete: {name}/{file} is missing or empty")
    return pipeline, configs


def components(folder: Path) -> dict[str, str]:
    """Components that are present and used: name → class."""
    found: dict[str, str] = {}
    for name, value in _json(folder / INDEX).items():
        if not isinstance(value, list) or name in UNUSED:
            continue
        library, kind = [*cast("list[Any]", value), None, None][:2]
        left_out = name in OPTIONAL and not (folder / name).is_dir()
        if library is None or kind is None or left_out:
            continue  # the pipeline runs without it
        if library not in LIBRARIES:
            raise ModelError(
                f"{folder}: {name} needs code of its own ({library}), which is refused"
            )
        found[name] = str(kind)
    return found


def networks(folder: Path) -> dict[str, str]:
    """Components that have weights: name → class."""
    found = components(folder)
    return {name: kind for name, kind in found.items() if not name.startswith(WEIGHTLESS)}


def variant_of(folder: Path, elsewhere: Collection[str] = ()) -> str | None:
    """The variant to load: None where every network has plain weights, else "fp16".

    elsewhere  networks whose weights are not looked for here
    ModelError where a network has none as .safetensors.
    """
    variant: str | None = None
    for name in networks(folder):
        if name in elsewhere:
            continue
        files = [file.name for file in (folder / name).glob("*.safetensors")]
        if not files:
            others = sorted(file.name for file in (folder / name).glob("*.bin"))
            why = f"its weights are pickles ({others[0]})" if others else "it has no weights"
            raise ModelError(f"{folder}: {name} cannot be loaded, {why}; want .safetensors")
        if all(HALF.search(file) for file in files):
            variant = "fp16"
    return variant


def _config(component: Path) -> Mapping[str, Any]:
    """A component's settings; none where it has no file of them."""
    for name in CONFIG_FILES:
        if (component / name).is_file():
            config = _json(component / name)
            if "auto_map" in config:
                raise ModelError(f"{component} needs code of its own (auto_map), which is refused")
            return config
    return {}


def _json(file: Path) -> dict[str, Any]:
    """A JSON object from a file; ModelError where it is none."""
    try:
        value: object = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{file} is no JSON object")
    return cast("dict[str, Any]", value)
