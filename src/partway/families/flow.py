"""What the rectified flows share: FLUX, Stable Diffusion 3, Z-Image, Qwen-Image.

A transformer predicts velocity, eps - x0, on the flow path; its time is the noise level itself. It
sees latents in patches of 2 × 2 positions, its tokens. The scheduler's config adds the shift.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from partway.checkpoints.autoencoder import Autoencoder, channels_of, factor_of, to_tensor
from partway.checkpoints.device import library
from partway.checkpoints.distilled import few_steps
from partway.checkpoints.pipeline import quiet
from partway.errors import ModelError
from partway.families import Profile
from partway.families.stable_diffusion import POSITIONS, own_size
from partway.schedule import Level, Schedule
from partway.shift import shift_of

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint
    from partway.denoiser import Array

NATIVE = 1024  # side in pixels where no config says
PATCH = 2  # latent positions of a token along a side
SAMPLER = "euler"


def profile_of(
    checkpoint: Checkpoint, family: str, *, steps: int, guidance: float, native: int = NATIVE
) -> Profile:
    """What a checkpoint's configs say; steps and guidance are those of its undistilled kind."""
    vae, scheduler = checkpoint.configs["vae"], checkpoint.configs["scheduler"]
    if scheduler.get("prediction_type", "flow_prediction") != "flow_prediction":
        raise ModelError(f"{checkpoint.name} has a scheduler that is not a flow's")
    factor = factor_of(vae)
    side = int(checkpoint.facts.get("resolution") or vae.get("sample_size") or native)
    stride = factor * PATCH
    distilled = few_steps(checkpoint)
    return Profile(
        name=checkpoint.name,
        family=family,
        folder=checkpoint.place,
        schedule=Schedule(path="flow", shift=shift_of(scheduler).at((side // stride) ** 2)),
        prediction="velocity",
        native_size=side,
        stride=stride,
        default_steps=steps if distilled is None else distilled[0],
        default_guidance=guidance if distilled is None else 1.0,
        default_sampler=SAMPLER,
        gain=math.sqrt((side // factor) ** 2 / POSITIONS),
        checkpoint=checkpoint,
    )


class RectifiedFlow:
    """A loaded checkpoint but for what its prompts and network need."""

    def __init__(self, profile: Profile, pipe: Any, precision: str) -> None:
        self.profile = profile
        self.precision = precision
        self.schedule: Schedule = profile.schedule
        self.prediction: str = profile.prediction
        self.pipe = pipe
        self._network: Any = pipe.transformer
        self._autoencoder = Autoencoder(pipe.vae)

    @property
    def nbytes(self) -> int:
        """Of its weights; 0 where a script holds them."""
        return own_size(self.profile, self.pipe)

    @property
    def origin(self) -> Array:
        """Latents that are the autoencoder's own zero, to broadcast over others."""
        return self._autoencoder.origin

    def encode(self, image: Array, draw: Callable[[], Array] | None = None) -> Array:
        """(3, H, W) in [-1, 1] → latents (C, h, w)."""
        return self._autoencoder.encode(image, draw)

    def decode(self, latents: Array) -> Array:
        """Latents (C, h, w) → (3, H, W)."""
        return self._autoencoder.decode(latents)

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(C, H / 8, W / 8)."""
        config = self.pipe.vae.config
        factor = factor_of(config)
        return (channels_of(config), height // factor, width // factor)

    def too_long(self, tokenizer: Any, prompt: str, limit: int) -> tuple[str, ...]:
        """A note where a prompt has more tokens than are read."""
        with quiet():
            count = len(tokenizer(prompt).input_ids)
        if count <= limit:
            return ()
        return (f"the prompt has {count} tokens, {self.profile.name} reads the first {limit}",)

    def told(self, values: Sequence[float]) -> Any:
        """(B,) numbers where the network runs, in fp32."""
        torch = library("torch")
        return to_tensor(np.asarray(values, np.float32), self._network, torch.float32)


def noise_of(levels: Sequence[Level]) -> list[float]:
    """The time of levels, 0 … 1: on the flow path sigma is the noise fraction."""
    return [level.sigma for level in levels]


def pack(x: Array) -> Array:
    """(B, C, h, w) → (B, h w / 4, 4 C): a token is a patch, its values ordered (C, 2, 2)."""
    rows, channels, height, width = x.shape
    patches = x.reshape(rows, channels, height // PATCH, PATCH, width // PATCH, PATCH)
    return patches.transpose(0, 2, 4, 1, 3, 5).reshape(rows, -1, channels * PATCH * PATCH)


def unpack(tokens: Array, height: int, width: int) -> Array:
    """The inverse of pack for latents of h × w."""
    rows, _, values = tokens.shape
    channels = values // PATCH**2
    grid = (rows, height // PATCH, width // PATCH, channels, PATCH, PATCH)
    return tokens.reshape(grid).transpose(0, 3, 1, 4, 2, 5).reshape(rows, channels, height, width)
