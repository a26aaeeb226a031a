"""Pictures to latents and back, by a checkpoint's autoencoder, in fp32 unless it came otherwise.

    latents = (z - shift) * scale,  z = encode(picture)        as the denoising network expects them

An autoencoder of videos has both for each channel, and is given one frame.

An autoencoder's answer is a distribution: its mode is taken, which never differs, unless a draw of
noise is given, as diffusers does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from partway.checkpoints.device import library

if TYPE_CHECKING:
    from partway.denoiser import Array

TILED_FROM = 1536 * 1536  # pixels: beyond, the autoencoder works tile by tile to bound memory


class Autoencoder:
    """A loaded autoencoder (diffusers' AutoencoderKL and its kin)."""

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        config = vae.config
        self._frames: bool = is_video(config)
        if self._frames:
            self._shift = _channels(config["latents_mean"])
            self._scale = np.float32(1.0) / _channels(config["latents_std"])
        else:
            self._shift = np.float32(config.get("shift_factor") or 0.0)
            self._scale = np.float32(config.get("scaling_factor") or 1.0)

    @property
    def origin(self) -> Array:
        """Latents of z = 0, to broadcast over others."""
        return np.asarray(-self._shift * self._scale, np.float32)

    def encode(self, image: Array, draw: Callable[[], Array] | None = None) -> Array:
        """(3, H, W) in [-1, 1] → latents (C, h, w).

        draw  unit Gaussian noise of the latents' shape, for a sample instead of the mode
        """
        torch = library("torch")
        with self._settled(image.shape[1] * image.shape[2]), torch.inference_mode():
            found = self._vae.encode(self._input(image)).latent_dist
            z = found.mode()
            if draw is not None:
                z = found.mean + found.std * self._input(draw())
            return (self._output(z) - self._shift) * self._scale

    def decode(self, latents: Array) -> Array:
        """Latents (C, h, w) → (3, H, W)."""
        torch = library("torch")
        pixels = latents.shape[1] * latents.shape[2] * factor_of(self._vae.config) ** 2
        with self._settled(pixels), torch.inference_mode():
            z = self._input(latents / self._scale + self._shift)
            return self._output(self._vae.decode(z, return_dict=False)[0])

    def _input(self, values: Array) -> Any:
        """A batch of one on the autoencoder's device."""
        return to_tensor(values[None, :, None] if self._frames else values[None], self._vae)

    def _output(self, tensor: Any) -> Array:
        """The one of a batch."""
        values = to_array(tensor)[0]
        return values[:, 0] if self._frames else values

    @contextmanager
    def _settled(self, pixels: int) -> Generator[None]:
        """In tiles where a picture is large, and out of fp16 where it overflows there.

        Afterwards it is as it was: a loaded pipeline's autoencoder is shared with its script.
        """
        torch, vae = library("torch"), self._vae
        tiled, upcast = pixels > TILED_FROM, vae.dtype == torch.float16
        tiled = tiled and not getattr(vae, "use_tiling", False)
        upcast = upcast and bool(vae.config.get("force_upcast"))
        if tiled:
            vae.enable_tiling()
        if upcast:
            vae.to(torch.float32)
        try:
            yield
        finally:
            if tiled:
                vae.disable_tiling()
            if upcast:
                vae.to(torch.float16)


def is_video(config: Any) -> bool:
    """Whether an autoencoder is one of videos (Wan's, which Qwen-Image took over)."""
    return "latents_mean" in config and "z_dim" in config


def factor_of(config: Any) -> int:
    """Pixels per latent position along a side, from an autoencoder's config."""
    if is_video(config):
        return 2 ** len(config["temperal_downsample"])
    return 2 ** (len(config["block_out_channels"]) - 1)


def channels_of(config: Any) -> int:
    """Channels of the latents, from an autoencoder's config."""
    return int(config["z_dim"] if is_video(config) else config["latent_channels"])


def _channels(values: Sequence[float]) -> Array:
    """(C, 1, 1), to broadcast over latents."""
    return np.asarray(values, np.float32).reshape(-1, 1, 1)


def to_tensor(values: Array, network: Any, dtype: Any = None) -> Any:
    """An array where a network runs, in its precision unless another is named."""
    torch = library("torch")
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    return tensor.to(device=_device_of(network), dtype=dtype or network.dtype)


def to_array(tensor: Any) -> Array:
    """A tensor as float32 in NumPy's memory."""
    return tensor.detach().float().cpu().numpy()


def _device_of(network: Any) -> Any:
    """Where a network computes; with offloading its weights are elsewhere until it does."""
    hook = getattr(network, "_hf_hook", None)
    return getattr(hook, "execution_device", None) or network.device
