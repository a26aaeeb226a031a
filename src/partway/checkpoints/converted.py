"""A checkpoint's networks on OpenVINO: faster than torch on a CPU, and near it.

    UNet            converted from torch in this process, called as diffusers calls it
    autoencoder     the same; pictures so large that it works in tiles stay on torch
    text encoders   the same; those that are shown a mask of the prompt's length stay on torch

Every shape is dynamic and each row has its own timestep, so that one conversion serves all sizes
and shared calls. OpenVINO would compute in bf16 of its own accord where the processor has it; here
all of them do what the precision says, "fp32" or "bf16".

What was converted is kept in the user's cache folder under a hash of its weights, LoRA included,
and the versions it came about with; the oldest make room. A later process then only reads it.
"""

from __future__ import annotations

import gc
import hashlib
import secrets
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from platformdirs import user_cache_dir

from partway.checkpoints.device import bytes_of, library
from partway.errors import ModelError
from partway.runtime import openvino_core

HINTS = {"bf16": "bf16", "fp32": "f32"}
KEPT = 24 * 2**30  # bytes of converted networks in the cache folder
MORE = ("timestep_cond", "text_embeds", "time_ids")  # inputs of some UNets only
TEXT_ENCODERS = ("text_encoder", "text_encoder_2")
ODD = 9  # side of the example, in latent positions: see _unet_inputs


class Denoiser:
    """A converted UNet, called as diffusers' own."""

    def __init__(self, network: Any, precision: str) -> None:
        torch = library("torch")
        self.config = network.config
        self.nbytes = bytes_of(network)
        self.dtype, self.device = torch.float32, torch.device("cpu")
        self._more, example = _unet_inputs(network)
        self._run = _compiled(_Plain.unet(network, self._more), example, precision)

    def __call__(
        self,
        sample: Any,
        timestep: Any,
        encoder_hidden_states: Any,
        timestep_cond: Any = None,
        added_cond_kwargs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> tuple[Any]:
        """(prediction,) for x (B, C, h, w) at timesteps (B,)."""
        given = {**(added_cond_kwargs or {}), "timestep_cond": timestep_cond}
        more = [given[name] for name in self._more]
        return tuple(self._run(sample, timestep, encoder_hidden_states, *more))


class ConvertedAutoencoder:
    """A converted autoencoder, called as diffusers' own."""

    def __init__(self, vae: Any, precision: str) -> None:
        torch = library("torch")
        self.config, self.dtype, self.device = vae.config, torch.float32, torch.device("cpu")
        self.use_tiling = False
        self._vae = vae
        self.nbytes = 2 * bytes_of(vae)  # torch's are kept too
        side = ODD * 2 ** (len(vae.config["block_out_channels"]) - 1)
        latents = torch.zeros(1, int(vae.config["latent_channels"]), ODD, ODD)
        picture = torch.zeros(1, 3, side, side)
        self._encode = _compiled(_Plain.encoder(vae), (picture,), precision)
        self._decode = _compiled(_Plain.decoder(vae), (latents,), precision)

    def enable_tiling(self) -> None:
        """From now on in tiles, which torch does."""
        self.use_tiling = True
        self._vae.enable_tiling()

    def disable_tiling(self) -> None:
        """From now on in one piece."""
        self.use_tiling = False
        self._vae.disable_tiling()

    def encode(self, picture: Any) -> Any:
        """An object with the distribution of latents."""
        if self.use_tiling:
            return self._vae.encode(picture)
        mean, std = self._encode(picture)
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean, std=std, mode=lambda: mean))

    def decode(self, latents: Any, **_: Any) -> tuple[Any]:
        """(picture,) of latents."""
        if self.use_tiling:
            return self._vae.decode(latents, return_dict=False)
        return tuple(self._decode(latents))


class TextEncoder:
    """A converted CLIP, called as transformers' own."""

    def __init__(self, encoder: Any, precision: str) -> None:
        torch = library("torch")
        self.config, self.dtype, self.device = encoder.config, torch.float32, torch.device("cpu")
        self.nbytes = bytes_of(encoder)
        self._answer = import_module("transformers.modeling_outputs").BaseModelOutput
        ids = torch.zeros(2, int(encoder.config.max_position_embeddings), dtype=torch.int64)
        self._run = _compiled(_Plain.text_encoder(encoder), (ids,), precision)

    def modules(self) -> tuple[Any, ...]:
        """None of torch's, where diffusers looks for one that moves between devices."""
        return ()

    def __call__(self, input_ids: Any, **_: Any) -> Any:
        """Tokens (B, L) → an object whose [0] and .hidden_states[-2] are what it answers.

        [0] is the last hidden state, or of an encoder with a projection the pooled vector.
        """
        first, before_last = self._run(input_ids)
        return self._answer(first, hidden_states=(before_last, None))


def convert(pipe: Any, precision: str) -> None:
    """Put OpenVINO's networks in place of a loaded pipeline's; ModelError where that fails."""
    if getattr(pipe, "unet", None) is None:
        raise ModelError("of this family no network is converted yet: leave --runtime out")
    try:
        pipe.unet = Denoiser(pipe.unet, precision)
        pipe.vae = ConvertedAutoencoder(pipe.vae, precision)
        for name in TEXT_ENCODERS:
            encoder = getattr(pipe, name, None)
            if encoder is not None and not getattr(encoder.config, "use_attention_mask", False):
                setattr(pipe, name, TextEncoder(encoder, precision))
    except Exception as error:
        raise ModelError(f"OpenVINO cannot convert this checkpoint: {error}") from error
    gc.collect()  # torch's copy of the weights


class _Plain:
    """Networks as modules of tensors in and tensors out, which is what can be converted."""

    @staticmethod
    def _module(network: Any, forward: Callable[..., Any]) -> Any:
        torch = library("torch")

        class Module(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()  # pyright: ignore[reportUnknownMemberType]
                self.network = network

            def forward(self, *inputs: Any) -> Any:
                return forward(*inputs)

        return Module().eval()

    @classmethod
    def unet(cls, unet: Any, names: Sequence[str]) -> Any:
        def forward(sample: Any, timestep: Any, words: Any, *more: Any) -> Any:
            given = dict(zip(names, more, strict=True))
            cond = given.pop("timestep_cond", None)
            return unet(
                sample,
                timestep,
                encoder_hidden_states=words,
                timestep_cond=cond,
                added_cond_kwargs=given or None,
                return_dict=False,
            )[0]

        _ungate(unet)
        return cls._module(unet, forward)

    @classmethod
    def encoder(cls, vae: Any) -> Any:
        def forward(picture: Any) -> Any:
            found = vae.encode(picture).latent_dist
            return found.mean, found.std

        return cls._module(vae, forward)

    @classmethod
    def decoder(cls, vae: Any) -> Any:
        def forward(latents: Any) -> Any:
            return vae.decode(latents, return_dict=False)[0]

        return cls._module(vae, forward)

    @classmethod
    def text_encoder(cls, encoder: Any) -> Any:
        def forward(ids: Any) -> Any:
            found = encoder(ids, output_hidden_states=True)
            return found[0], found.hidden_states[-2]

        return cls._module(encoder, forward)


def _ungate(unet: Any) -> None:
    """Put two layers where one makes a value and its gate side by side.

    OpenVINO (2026.4) copies the halves out of what one layer made, which takes 4 to 8 % of a Stable
    Diffusion 1.5 UNet's processor time.
    """
    torch = library("torch")

    class Gated(torch.nn.Module):
        def __init__(self, gated: Any) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]
            self.value, self.gate = (self._half(gated.proj, part) for part in (0, 1))
            self.gelu = gated.gelu

        @staticmethod
        def _half(whole: Any, part: int) -> Any:
            half = torch.nn.Linear(1, 1, bias=whole.bias is not None)
            half.weight = torch.nn.Parameter(whole.weight.chunk(2)[part], requires_grad=False)
            if whole.bias is not None:
                half.bias = torch.nn.Parameter(whole.bias.chunk(2)[part], requires_grad=False)
            return half

        def forward(self, hidden: Any) -> Any:
            return self.value(hidden) * self.gelu(self.gate(hidden))

    for name, part in list(unet.named_modules()):
        if type(part).__name__ == "GEGLU":
            unet.set_submodule(name, Gated(part))


def _unet_inputs(unet: Any) -> tuple[list[str], tuple[Any, ...]]:
    """Names of the inputs beyond three, and examples of all.

    The sides of the example are odd: a UNet then restores every size on its way up by the sizes it
    met on its way down, which is right for even ones too. Its code asks that once, when traced.
    """
    torch, config = library("torch"), unet.config
    inputs = [
        torch.zeros(2, int(config.in_channels), ODD, ODD + 2),
        torch.ones(2),
        torch.zeros(2, 77, int(config.cross_attention_dim)),
    ]
    names: list[str] = []
    if config.time_cond_proj_dim is not None:
        names.append("timestep_cond")
        inputs.append(torch.zeros(2, int(config.time_cond_proj_dim)))
    if config.addition_embed_type == "text_time":
        names += ["text_embeds", "time_ids"]
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        inputs += [torch.zeros(2, pooled), torch.ones(2, 6)]
    return names, tuple(inputs)


def _compiled(module: Any, example: tuple[Any, ...], precision: str) -> Callable[..., list[Any]]:
    """A module on OpenVINO: tensors in, a list of tensors out."""
    torch, openvino = library("torch"), import_module("openvino")
    hints = {"INFERENCE_PRECISION_HINT": HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
    folder = _cache() / _key(module, example)
    model = None
    if not (folder / "network.xml").is_file():
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer: that what it traced stays so
            model = openvino.convert_model(module, example_input=example)
        if _save(openvino, model, folder):
            model = None
    if model is None:
        # Of each precision its own: OpenVINO 2026.4 takes one compiled for fp32 for bf16 too, and
        # then computes NaN.
        hints |= {"CACHE_DIR": str(folder / precision), "CACHE_MODE": "OPTIMIZE_SIZE"}
        model = str(folder / "network.xml")
        with suppress(OSError):
            folder.touch()
    network = openvino_core().compile_model(model, "CPU", hints)
    count = len(network.outputs)

    def run(*inputs: Any) -> list[Any]:
        arrays = [each.contiguous().numpy() for each in inputs]
        outputs = network(arrays)
        return [torch.from_numpy(np.array(outputs[index], np.float32)) for index in range(count)]

    return run


def _cache() -> Path:
    return Path(user_cache_dir("partway", appauthor=False)) / "converted"


def _key(module: Any, example: tuple[Any, ...]) -> str:
    """A hash of all that decides what is computed: weights, configs, versions."""
    versions = [import_module(name).__version__ for name in ("openvino", "torch", "diffusers")]
    digest = hashlib.sha256(repr((versions, type(module.network).__name__)).encode())
    config: Any = module.network.config
    settings: Any = config.to_dict() if hasattr(config, "to_dict") else config  # transformers'
    digest.update(repr(sorted(settings.items(), key=str)).encode())
    digest.update(repr([tuple(each.shape) for each in example]).encode())
    for name, weight in module.network.state_dict().items():
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        flat = weight.detach().cpu().contiguous().reshape(-1)
        digest.update(memoryview(flat.view(library("torch").uint8).numpy()))
    return digest.hexdigest()[:32]


def _save(openvino: Any, model: Any, folder: Path) -> bool:
    """Keep a converted network; False where the cache folder cannot be written."""
    part = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        part.mkdir(parents=True)
        openvino.save_model(model, str(part / "network.xml"), compress_to_fp16=False)
        part.rename(folder)
    except (OSError, RuntimeError):
        shutil.rmtree(part, ignore_errors=True)
        return (folder / "network.xml").is_file()  # another process was first
    _make_room(folder)
    return True


def _make_room(newest: Path) -> None:
    """Remove networks that were not used for longest, as far as they are too many."""
    folders = [each for each in newest.parent.iterdir() if each.is_dir() and each != newest]
    left = KEPT - _size(newest)
    for folder in sorted(folders, key=lambda each: each.stat().st_mtime, reverse=True):
        left -= _size(folder)
        if left < 0:
            shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
