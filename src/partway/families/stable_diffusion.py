"""Stable Diffusion 1.x and 2.x: a UNet on the discrete variance-preserving table.

Predicts eps or v; runs on torch, with components loaded by diffusers (partway.checkpoints).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from partway.checkpoints.autoencoder import Autoencoder, factor_of, to_array, to_tensor
from partway.checkpoints.device import library
from partway.checkpoints.distilled import few_steps
from partway.checkpoints.inpainting import beside_of, hide, inpaints, words_of
from partway.checkpoints.pipeline import encoding, load_pipeline, quiet, size_of
from partway.checkpoints.scheduler import prediction_of, schedule_of
from partway.denoiser import Array, Condition
from partway.errors import ModelError
from partway.families import Profile
from partway.request import DEFAULT_SAMPLER
from partway.schedule import Level, Schedule

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint

GUIDANCE = 7.5
STEPS = 20
POSITIONS = 64 * 64  # of SD 1.x, whose gain is 1
DISTILLED_GUIDANCE = 8.0  # what networks with guidance built in are told


def profile(checkpoint: Checkpoint) -> Profile:
    """What a checkpoint's configs say."""
    unet, vae = checkpoint.configs["unet"], checkpoint.configs["vae"]
    scheduler = checkpoint.configs["scheduler"]
    factor = factor_of(vae)
    native = int(checkpoint.facts.get("resolution") or unet["sample_size"] * factor)
    distilled = few_steps(checkpoint)
    steps, sampler = (STEPS, DEFAULT_SAMPLER) if distilled is None else distilled
    return Profile(
        name=checkpoint.name,
        family="stable_diffusion",
        folder=checkpoint.place,
        schedule=schedule_of(scheduler),
        prediction=prediction_of(scheduler),
        native_size=native,
        stride=factor,
        default_steps=steps,
        default_guidance=GUIDANCE if distilled is None else 1.0,
        default_sampler=sampler,
        gain=math.sqrt((native // factor) ** 2 / POSITIONS),
        inpaints=inpaints(checkpoint.configs),
        checkpoint=checkpoint,
    )


class StableDiffusion:
    """A loaded checkpoint."""

    def __init__(self, profile: Profile, pipe: Any, precision: str) -> None:
        self.profile = profile
        self.precision = precision
        self.schedule: Schedule = profile.schedule
        self.prediction: str = profile.prediction
        self.pipe = pipe
        self._unet: Any = pipe.unet
        self._autoencoder = Autoencoder(pipe.vae)
        self._grey_latents: Array | None = None

    @property
    def nbytes(self) -> int:
        """Of its weights; 0 where a script holds them."""
        return own_size(self.profile, self.pipe)

    def encode_prompt(self, prompt: str) -> Condition:
        """(L, D) hidden states of the text encoder."""
        with encoding(self.pipe):
            found = self.pipe.encode_prompt(prompt, self.pipe._execution_device, 1, False)  # noqa: SLF001, FBT003
            return to_array(found[0])[0]

    def notes(self, prompt: str) -> tuple[str, ...]:
        """What was not read of a prompt."""
        with quiet():
            count = len(self.pipe.tokenizer(prompt).input_ids)
        limit: int = self.pipe.tokenizer.model_max_length
        if count <= limit:
            return ()
        return (f"the prompt has {count} tokens, {self.profile.name} reads the first {limit}",)

    def encode(self, image: Array, draw: Callable[[], Array] | None = None) -> Array:
        """(3, H, W) in [-1, 1] → latents (C, h, w)."""
        return self._autoencoder.encode(image, draw)

    def decode(self, latents: Array) -> Array:
        """Latents (C, h, w) → (3, H, W)."""
        return self._autoencoder.decode(latents)

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Condition]) -> Array:
        """One call of the UNet for all rows."""
        with library("torch").inference_mode():
            output = self._unet(
                to_tensor(self.seen(x, conditions), self._unet),
                timesteps(self.schedule, levels, self._unet),
                encoder_hidden_states=to_tensor(np.stack(words_of(conditions)), self._unet),
                timestep_cond=built_in_guidance(self._unet, len(levels)),
                return_dict=False,
            )
            return to_array(output[0])

    def seen(self, x: Array, conditions: Sequence[Condition]) -> Array:
        """What the UNet is shown: x itself; by inpainting checkpoints also what is beside it.

        Where a condition shows nothing beside x, all is to be painted and the picture is grey: such
        a checkpoint then follows x and the prompt alone, like any other.
        """
        if not self.profile.inpaints:
            return x
        height, width = x.shape[2:]
        alone = np.concatenate([np.ones((1, height, width), np.float32), self._grey(height, width)])
        return np.concatenate([x, beside_of(conditions, alone)], axis=1)

    def beside(
        self, image: Array, hidden: Any, mask: Array, draw: Callable[[], Array] | None = None
    ) -> Array:
        """(1 + C, h, w) to show an inpainting checkpoint beside x.

        image   (3, H, W) in [-1, 1]
        hidden  (H, W) where it is to be painted, and mask (1, h, w) of 0 and 1 the same on latents
        """
        return np.concatenate([mask, self.encode(hide(image, hidden), draw)])

    def _grey(self, height: int, width: int) -> Array:
        """Latents of a grey canvas, remembered for the last size."""
        if self._grey_latents is None or self._grey_latents.shape[1:] != (height, width):
            factor = self.profile.stride
            canvas = np.zeros((3, height * factor, width * factor), np.float32)
            self._grey_latents = self._autoencoder.encode(canvas)
        return self._grey_latents

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """(C, H / 8, W / 8)."""
        factor = self.profile.stride
        return (int(self.pipe.vae.config.latent_channels), height // factor, width // factor)


def own_size(profile: Profile, pipe: Any) -> int:
    """Bytes of weights that were loaded here, and go when the family does."""
    given = profile.checkpoint is not None and profile.checkpoint.loaded is not None
    return 0 if given else size_of(pipe)


def timesteps(schedule: Schedule, levels: Sequence[Level], network: Any) -> Any:
    """(B,) training timesteps of levels as real numbers, 0 … 999, where a network runs."""
    count = len(schedule.table)
    times = [count * schedule.time_of(level.noise_fraction) - 1.0 for level in levels]
    return to_tensor(np.asarray(times, np.float32), network, library("torch").float32)


def built_in_guidance(unet: Any, rows: int) -> Any:
    """(B, D) embedding of the guidance that an LCM was distilled with; None for other networks.

    Of w = guidance - 1 (Luo et al. 2023, LCM, appendix D), as sinusoids like a timestep.
    """
    width: int | None = unet.config.time_cond_proj_dim
    if width is None:
        return None
    half = width // 2
    scale = np.exp(np.arange(half) * (-math.log(10000.0) / (half - 1)))
    angles = 1000.0 * (DISTILLED_GUIDANCE - 1.0) * scale
    embedding = np.concatenate([np.sin(angles), np.cos(angles)]).astype(np.float32)
    return to_tensor(np.tile(embedding, (rows, 1)), unet)


def load(profile: Profile, precision: str) -> StableDiffusion:
    """Load the networks."""
    if profile.checkpoint is None:
        raise ModelError(f"{profile.name} has no files")
    pipe, resolved = load_pipeline(profile.checkpoint, precision)
    return StableDiffusion(profile, pipe, resolved)
