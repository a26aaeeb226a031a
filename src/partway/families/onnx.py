"""Folders of ONNX networks on OpenVINO, without torch.

    config.json         path, prediction, native_size, patch, latent_channels, defaults, gain …
    tokenizer.json      for the `tokenizers` library; 0 pads
    text_encoder.onnx   input_ids int64 (B, L) → context (B, L, D)
    denoiser.onnx       sample (B, C, h, w), timestep (B,) = 1000 * noise_fraction, context → output
    encoder.onnx        image (B, 3, H, W) in [-1, 1] → latents (B, C, H / patch, W / patch)
    decoder.onnx        latents → image

Batch, height and width are dynamic and every row has its own timestep, so one call can serve
edits of different strengths. The denoiser runs in bf16 where the processor has it ("auto"), the
small networks around it always in fp32. The runtime is imported when networks are loaded, so that
reading a profile stays cheap.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_dir

from partway.calibration import curve_from
from partway.denoiser import Array
from partway.errors import InvalidRequest, ModelError
from partway.families import Profile
from partway.runtime import openvino_core
from partway.schedule import Level, Schedule

PRECISIONS = {"bf16": "bf16", "fp32": "f32"}  # ours → OpenVINO's INFERENCE_PRECISION_HINT


def profile(name: str, folder: Path | None) -> Profile:
    """Read config.json."""
    if folder is None:
        raise ModelError("the onnx family needs a folder")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if config["prediction"] == "v" and config["path"] != "vp":
        raise ModelError(f"{folder}: prediction v belongs to path vp, not to {config['path']}")
    if config["prediction"] == "eps" and config.get("top", 1.0) >= 1.0:
        raise ModelError(f"{folder}: prediction eps needs a top below 1, pure noise holds no x0")
    return Profile(
        name=name,
        family="onnx",
        folder=folder,
        schedule=Schedule(
            path=config["path"], lowest=config.get("lowest", 0.0), top=config.get("top", 1.0)
        ),
        prediction=config["prediction"],
        native_size=int(config["native_size"]),
        stride=config["patch"] * config.get("latent_multiple", 1),
        default_steps=int(config["default_steps"]),
        default_guidance=float(config["default_guidance"]),
        gain=float(config.get("gain", 1.0)),
        curve=curve_from(config["calibration"]) if "calibration" in config else None,
        plain_ground=float(config.get("plain_ground", 0.0)),
        even_surfaces=float(config.get("even_surfaces", 0.0)),
        own_grain=float(config.get("own_grain", 0.0)),
        artwork_only=config.get("artwork_only", False),
        styles=tuple(config.get("styles", ())),
        config=config,
    )


def resolve_precision(asked: str) -> str:
    """Precision of the denoiser: "auto" is bf16 where the processor computes in it, else fp32."""
    if asked == "auto":
        capable = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return "bf16" if "BF16" in capable else "fp32"
    if asked not in PRECISIONS:
        raise InvalidRequest(f"precision is {asked!r}, choose from auto, bf16, fp32")
    return asked


class Onnx:
    """A loaded folder."""

    def __init__(self, profile: Profile, precision: str) -> None:
        if profile.folder is None:
            raise ModelError("the onnx family needs a folder")
        self.profile = profile
        self.precision = resolve_precision(precision)
        self.schedule = profile.schedule
        self.prediction = profile.prediction
        self._length, self._width = profile.config["context"]
        folder = profile.folder
        try:
            tokenizer = import_module("tokenizers").Tokenizer
            self._tokenizer: Any = tokenizer.from_file(str(folder / "tokenizer.json"))
            core = openvino_core()
            self._text_encoder = _compile(core, folder / "text_encoder.onnx", "fp32", cached=True)
            self._denoiser = _compile(core, folder / "denoiser.onnx", self.precision, cached=True)
            self._encoder = _compile(core, folder / "encoder.onnx", "fp32")
            self._decoder = _compile(core, folder / "decoder.onnx", "fp32")
        except Exception as error:
            raise ModelError(f"{folder} cannot be loaded: {error}") from error

    @property
    def nbytes(self) -> int:
        """Of its weights, as they lie in their files."""
        folder = self.profile.folder
        return 0 if folder is None else sum(file.stat().st_size for file in folder.glob("*.onnx"))

    def encode_prompt(self, prompt: str) -> Array:
        """(L, D) context of a prompt, lower-cased by the tokenizer; "" is all padding."""
        ids: list[int] = self._tokenizer.encode(prompt).ids[: self._length]
        padded = np.zeros((1, self._length), dtype=np.int64)
        padded[0, : len(ids)] = ids
        return _only(self._text_encoder({"input_ids": padded}))[0]

    def encode(self, image: Array) -> Array:
        """(3, H, W) in [-1, 1] → latents (C, h, w)."""
        return _only(self._encoder({"image": image[None]}))[0]

    def decode(self, latents: Array) -> Array:
        """Latents (C, h, w) → (3, H, W)."""
        return _only(self._decoder({"latents": latents[None]}))[0]

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Array]) -> Array:
        """One network call for all rows."""
        timesteps = np.asarray([1000.0 * level.noise_fraction for level in levels], np.float32)
        inputs = {"sample": x, "timestep": timesteps, "context": np.stack(conditions)}
        return _only(self._denoiser(inputs))

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(C, H / patch, W / patch)."""
        patch = self.profile.config["patch"]
        return (self.profile.config["latent_channels"], height // patch, width // patch)


def _compile(core: Any, path: Path, precision: str, *, cached: bool = False) -> Any:
    """A network compiled for the CPU at a precision.

    cached  keep the compiled network in the user's cache folder: the next process starts about a
            second sooner and computes the same bits. The runtime compiles anew where the file,
            its own version or the processor changed, or where the cached file is damaged.
    """
    hints = {"INFERENCE_PRECISION_HINT": PRECISIONS[precision], "PERFORMANCE_HINT": "LATENCY"}
    if cached:
        # one folder a precision: the runtime would take a network compiled for another
        folder = Path(user_cache_dir("partway", appauthor=False)) / "compiled" / precision
        with suppress(OSError):  # a home that cannot be written only costs the second
            folder.mkdir(parents=True, exist_ok=True)
            hints["CACHE_DIR"] = str(folder)
    return core.compile_model(str(path), "CPU", hints)


def _only(outputs: Any) -> Array:
    """The only output of a network, copied out of the runtime's own memory."""
    return np.array(outputs[0], dtype=np.float32)


def load(profile: Profile, precision: str) -> Onnx:
    """Compile the four networks."""
    return Onnx(profile, precision)
