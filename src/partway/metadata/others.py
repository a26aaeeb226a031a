"""Pictures of other programs: which one made a file, and the settings it wrote.

    A1111, Forge, SD.Next, sd.cpp, Civitai   `parameters`, EXIF UserComment: see infotext.py
    ComfyUI                                  `prompt`, `workflow`; in WebP as EXIF Model and Make
    InvokeAI                                 `invokeai_metadata`, `sd-metadata`, `Dream`
    Fooocus                                  `parameters` as JSON or as A1111 writes it
    NovelAI                                  `Software`, `Description`, `Comment`
    SwarmUI                                  `parameters` with `sui_image_params`

Each recogniser takes the texts of a file and gives a recipe or None; the first that does counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from partway.metadata import comfyui, infotext
from partway.metadata.recipe import Recipe, make
from partway.metadata.untrusted import is_list, is_object, parsed

Texts: TypeAlias = Mapping[str, str]

# Other names of values, as these programs write them.
SYNONYMS = {
    "cfg_scale": "guidance_scale",
    "cfgscale": "guidance_scale",
    "scale": "guidance_scale",
    "sampler_name": "sampler",
    "denoising_strength": "strength",
    "init_image_creativity": "strength",
    "initimagecreativity": "strength",
    "base_model": "model",
    "model_name": "model",
    "model_weights": "model",
    "resolution": "size",
}
PROMPTS = ("prompt", "negative_prompt", "positive_prompt", "negativeprompt", "uc")


def recognise(texts: Texts) -> Recipe | None:
    """The recipe of whichever program made this file; None where none is known."""
    for known in RECOGNISERS:
        recipe = known(texts)
        if recipe is not None:
            return recipe
    return None


def _values(settings: Mapping[str, Any]) -> dict[str, object]:
    """Settings under our names: scalars only, prompts apart; width and height as a size."""
    values: dict[str, object] = {}
    for key, value in settings.items():
        name = SYNONYMS.get(key, key)
        if name not in PROMPTS and isinstance(value, (str, int, float)):
            values.setdefault(name, value)
    width, height = values.pop("width", None), values.pop("height", None)
    if isinstance(width, int) and isinstance(height, int):
        values["size"] = f"{width}x{height}"
    return values


def _swarm(texts: Texts) -> Recipe | None:
    """SwarmUI."""
    text = texts.get("parameters", "")
    settings = parsed(text).get("sui_image_params") if '"sui_image_params"' in text else None
    if not is_object(settings):
        return None
    return make(
        "SwarmUI", settings.get("prompt"), settings.get("negativeprompt"), _values(settings)
    )


def _fooocus(texts: Texts) -> Recipe | None:
    """Fooocus: its own scheme is JSON; its `a1111` scheme is read with that program's block."""
    for key in ("parameters", "Comment"):
        text = texts.get(key, "")
        settings = parsed(text) if text.lstrip().startswith("{") else None
        own = is_object(settings) and ("base_model" in settings or "performance" in settings)
        if own and is_object(settings):
            prompt, negative = settings.get("prompt"), settings.get("negative_prompt")
            return make("Fooocus", prompt, negative, _values(settings))
    return None


def _infotext(texts: Texts) -> Recipe | None:
    """A1111 and all who write its block."""
    return infotext.parse(texts.get("parameters", ""))


def _comfyui(texts: Texts) -> Recipe | None:
    """ComfyUI."""
    if "prompt" not in texts and "workflow" not in texts:
        return None
    return comfyui.recognise(texts.get("prompt"), texts.get("workflow"))


def _invokeai(texts: Texts) -> Recipe | None:
    """InvokeAI since version 3, and 2."""
    settings = parsed(texts.get("invokeai_metadata"))
    if is_object(settings):
        model = settings.get("model")
        values = _values(settings)
        values["sampler"] = settings.get("scheduler")
        values.pop("scheduler", None)
        if is_object(model):
            values["model"] = model.get("name", model.get("model_name"))
        prompt, negative = settings.get("positive_prompt"), settings.get("negative_prompt")
        return make("InvokeAI", prompt, negative, values)
    settings = parsed(texts.get("sd-metadata"))
    image = settings.get("image") if is_object(settings) else None
    if not is_object(settings) or not is_object(image):
        return None
    prompts = image.get("prompt")
    first = prompts[0] if is_list(prompts) and prompts else prompts
    prompt: object = first.get("prompt") if is_object(first) else first
    values = _values(image) | {"model": settings.get("model_weights")}
    return make("InvokeAI", *_bracketed(prompt), values)


def _bracketed(prompt: object) -> tuple[str, str]:
    """InvokeAI 2 writes what to avoid in square brackets inside the prompt."""
    text = prompt[:20_000] if isinstance(prompt, str) else ""
    negative = re.findall(r"\[([^\[\]]*)\]", text)
    return re.sub(r"\[[^\[\]]*\]", "", text).strip(" ,"), ", ".join(negative)


DREAM = {"s": "steps", "S": "seed", "C": "guidance_scale", "A": "sampler", "f": "strength"}


def _dream(texts: Texts) -> Recipe | None:
    """InvokeAI 1: a command line."""
    text = texts.get("Dream", "")[:40_000]
    end = text.rfind('"')
    if not text.startswith('"') or end <= 0:
        return None
    options = dict(re.findall(r"-(\w)\s*(\S+)", text[end + 1 :]))
    values: dict[str, object] = {DREAM[key]: v for key, v in options.items() if key in DREAM}
    if {"W", "H"} <= options.keys():
        values["size"] = f"{options['W']}x{options['H']}"
    return make("InvokeAI", *_bracketed(text[1:end]), values)


def _novelai(texts: Texts) -> Recipe | None:
    """NovelAI."""
    settings = parsed(texts.get("Comment"))
    if texts.get("Software") != "NovelAI" or not is_object(settings):
        return None
    prompt = settings.get("prompt") or texts.get("Description")
    values = _values(settings) | {"model": texts.get("Source")}
    return make("NovelAI", prompt, settings.get("uc"), values)


RECOGNISERS: tuple[Callable[[Texts], Recipe | None], ...] = (
    _swarm,
    _fooocus,
    _infotext,
    _comfyui,
    _invokeai,
    _dream,
    _novelai,
)
