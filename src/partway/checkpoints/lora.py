"""LoRA: small networks added to a checkpoint's own, each with a weight (Hu et al. 2021).

    "film.safetensors:0.8"      a file and its weight; 1 where none is given

Their products are added to the checkpoint's weights when it is loaded, so that an edit with them
takes as long as one without. All usual layouts are read (diffusers' and PEFT's, kohya's), as
.safetensors only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partway.errors import InvalidRequest, ModelError

WEIGHTED = re.compile(r"(.+):([-+]?(?:\d+\.?\d*|\.\d+))")
MAX_WEIGHT = 4.0


@dataclass(frozen=True)
class Lora:
    """A file and its weight, from minus MAX_WEIGHT to MAX_WEIGHT."""

    file: Path
    weight: float = 1.0


def parse(text: str) -> Lora:
    """Read FILE or FILE:WEIGHT; InvalidRequest where that is no file, or no usual weight."""
    match = WEIGHTED.fullmatch(text)
    name, weight = (text, 1.0) if match is None else (match[1], float(match[2]))
    file = Path(name).expanduser()
    if file.suffix.lower() != ".safetensors":
        raise InvalidRequest(
            f"{file.name or text!r} is no LoRA that is read: want FILE.safetensors, or "
            "FILE.safetensors:0.8 with a weight"
        )
    if not file.is_file():
        raise InvalidRequest(f"there is no LoRA {name!r}: want the path of a .safetensors")
    if abs(weight) > MAX_WEIGHT:
        raise InvalidRequest(
            f"the weight of {file.name} is {weight:g}, allowed is -{MAX_WEIGHT:g} … "
            f"{MAX_WEIGHT:g}; try {file.name}:0.8"
        )
    return Lora(file, weight)


def apply(pipe: Any, loras: Sequence[Lora]) -> None:
    """Add LoRA to a pipeline's networks; ModelError where one does not fit them."""
    # All that a LoRA can change: left to itself FLUX would lose the text encoder's part.
    components = list(pipe._lora_loadable_modules)  # noqa: SLF001
    for number, lora in enumerate(loras):
        name = f"lora{number}"
        try:
            pipe.load_lora_weights(
                str(lora.file.parent),
                weight_name=lora.file.name,
                adapter_name=name,
                use_safetensors=True,
                local_files_only=True,
            )
            pipe.set_adapters([name], [lora.weight])
            pipe.fuse_lora(components=components, adapter_names=[name])
            pipe.unload_lora_weights()
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"{lora.file.name} does not fit this checkpoint: {reason}") from error


def digest_of(file: Path) -> str:
    """SHA-256 of a file, as model sites list it."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
