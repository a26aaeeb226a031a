"""Checkpoints of other people: found, recognised and checked without loading them.

    locate(name) -> Checkpoint      a diffusers folder, a single .safetensors, or a hub id

    layout       folders in diffusers' layout: components, their configs, what is refused
    single_file  one .safetensors: its kind from the names of its tensors
    hub          ids like owner/name@revision: configs first, weights when they are loaded
    scheduler    the levels a scheduler's config describes
    device       where networks run, and in which precision
    pipeline     components loaded by diffusers
    autoencoder  pictures to latents and back
    lora         adapters on top
    inpainting   what networks made for it are shown beside the noise
    loaded       a pipeline that a script has loaded already
    converted    networks on OpenVINO in place of torch

Torch is imported in functions only, by device, pipeline, autoencoder, converted and lora.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from partway.checkpoints import hub, layout, single_file
from partway.checkpoints.layout import Configs
from partway.checkpoints.lora import Lora
from partway.errors import InvalidRequest, ModelError

SUFFIX = ".safetensors"
PICKLES = {".ckpt", ".pt", ".pth", ".bin", ".pkl"}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a checkpoint lies and what it is.

    name      as people call it
    place     the folder, or the single file
    pipeline  diffusers' class name, as its index or the names of its tensors say
    configs   component ("unet", "vae", "scheduler" …) → its config
    facts     what a single file says itself, see single_file.recognise; of a hub id "repository"
              and "revision", the commit
    loras     adapters added to it
    runtime   what its networks run on: "auto" is torch, or "openvino"
    loaded    diffusers' pipeline where a script has loaded it (partway.checkpoints.loaded)
    """

    name: str
    place: Path
    pipeline: str
    configs: Configs = field(repr=False)
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    loras: tuple[Lora, ...] = ()
    runtime: str = "auto"
    loaded: Any = field(default=None, repr=False, compare=False)


def locate(model: str) -> Checkpoint | None:
    """The checkpoint that a path or hub id names; None where it names none of these.

    ModelError for what is there and cannot be used: pickles, remote code, unknown kinds.
    InvalidRequest for a path that leads nowhere.
    """
    place = Path(model).expanduser()
    if place.suffix.lower() in PICKLES and (place.is_file() or hub.is_id(model) is None):
        raise ModelError(
            f"{place.name} holds its weights as a pickle, which can run code when it is read; "
            "want .safetensors: most checkpoints are published as both"
        )
    if place.is_file():
        return _from_file(place)
    if (place / layout.INDEX).is_file():
        return from_folder(place.resolve().name, place)
    if place.exists():
        return None
    found = hub.is_id(model)
    is_file = place.suffix.lower() == SUFFIX
    if is_file or (found is None and {"/", "\\"} & set(model)):
        raise InvalidRequest(
            f"there is no {'file' if is_file else 'folder'} {model!r}: want a checkpoint's folder, "
            f"its {SUFFIX}, or OWNER/NAME on the hub"
        )
    if found is None:
        return None
    folder, revision = hub.configs(*found)
    checkpoint = from_folder(found[0], folder)
    return replace(checkpoint, facts={"repository": found[0], "revision": revision})


def from_folder(name: str, folder: Path) -> Checkpoint:
    """A folder in diffusers' layout."""
    pipeline, configs = layout.read(folder)
    return Checkpoint(name=name, place=folder, pipeline=pipeline, configs=configs)


def _from_file(file: Path) -> Checkpoint:
    """A single .safetensors."""
    if file.suffix.lower() != SUFFIX:
        raise ModelError(f"{file.name} is no checkpoint: want {SUFFIX}, a folder or a hub id")
    kind, facts = single_file.recognise(file)
    beside = single_file.configs_beside(file)
    pipeline, found = (kind.pipeline, kind.configs) if beside is None else layout.read(beside)
    configs = dict(found)
    configs["scheduler"] = {**configs["scheduler"], **facts.pop("scheduler")}
    return Checkpoint(
        name=file.stem,
        place=file,
        pipeline=pipeline if kind.transformer else kind.pipeline,  # flows' relatives look alike
        configs=configs,
        facts=facts,
    )
