"""FLUX.1: a transformer of patches and words, dev told its guidance, schnell distilled to 4 steps.

Two text encoders: T5's tokens, and CLIP's pooled state. Runs on torch, with components loaded by
diffusers (partway.checkpoints).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from partway.checkpoints.autoencoder import to_array, to_tensor
from partway.checkpoints.device import library
from partway.checkpoints.pipeline import encoding, load_pipeline
from partway.denoiser import Array
from partway.errors import ModelError
from partway.families import Profile
from partway.families.flow import RectifiedFlow, noise_of, pack, profile_of, unpack
from partway.schedule import Level

if TYPE_CHECKING:
    from partway.checkpoints import Checkpoint

STEPS = 28
GUIDANCE = 3.5
FEW_STEPS = 4  # of schnell
TOKENS = 512  # of T5


@dataclass(frozen=True, eq=False)
class Words:
    """An encoded prompt.

    tokens    (L, D) hidden states of T5
    pooled    (P,) of CLIP
    guidance  what a network that has it built in is told
    """

    tokens: Array
    pooled: Array
    guidance: float = GUIDANCE

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.tokens.nbytes + self.pooled.nbytes

    def told(self, guidance: float) -> Words:
        """The same words with another guidance."""
        return replace(self, guidance=guidance)


def profile(checkpoint: Checkpoint) -> Profile:
    """What a checkpoint's configs say."""
    transformer, vae = checkpoint.configs["transformer"], checkpoint.configs["vae"]
    if transformer.get("in_channels", 64) != 4 * vae["latent_channels"]:
        raise ModelError(
            f"{checkpoint.name} is a variation of FLUX that takes a second picture beside the "
            "noisy one (Fill, Canny, Depth), which Partway does not run"
        )
    built_in = bool(transformer.get("guidance_embeds", False))
    found = profile_of(checkpoint, "flux", steps=STEPS, guidance=GUIDANCE if built_in else 1.0)
    # schnell says so nowhere but by what it lacks: guidance, and a shift that grows with the size
    schnell = not (built_in or checkpoint.configs["scheduler"].get("use_dynamic_shifting", False))
    steps = min(found.default_steps, FEW_STEPS) if schnell else found.default_steps
    guidance = GUIDANCE if built_in else 1.0
    return replace(
        found, default_steps=steps, default_guidance=guidance, built_in_guidance=built_in
    )


class Flux(RectifiedFlow):
    """A loaded checkpoint."""

    def encode_prompt(self, prompt: str) -> Words:
        """Both text encoders."""
        with encoding(self.pipe):
            tokens, pooled, _ = self.pipe.encode_prompt(
                prompt,
                None,
                device=self.pipe._execution_device,  # noqa: SLF001
                max_sequence_length=TOKENS,
            )
            return Words(to_array(tokens)[0], to_array(pooled)[0])

    def notes(self, prompt: str) -> tuple[str, ...]:
        """What was not read of a prompt."""
        return self.too_long(self.pipe.tokenizer_2, prompt, TOKENS)

    def predict(self, x: Array, levels: Sequence[Level], conditions: Sequence[Words]) -> Array:
        """One call of the transformer for all rows."""
        network, (height, width) = self._network, x.shape[2:]
        tokens = np.stack([words.tokens for words in conditions])
        pooled = np.stack([words.pooled for words in conditions])
        guidance = [words.guidance for words in conditions]
        places = np.zeros((tokens.shape[1], 3), np.float32)
        with library("torch").inference_mode():
            output = network(
                hidden_states=to_tensor(pack(x), network),
                timestep=self.told(noise_of(levels)),
                guidance=self.told(guidance) if self.profile.built_in_guidance else None,
                pooled_projections=to_tensor(pooled, network),
                encoder_hidden_states=to_tensor(tokens, network),
                txt_ids=to_tensor(places, network),
                img_ids=to_tensor(positions(height // 2, width // 2), network),
                return_dict=False,
            )
            return unpack(to_array(output[0]), height, width)


def positions(height: int, width: int) -> Array:
    """(height width, 3): 0, row and column of each token, for the rotary embedding."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([0 * rows, rows, columns], axis=-1).reshape(-1, 3).astype(np.float32)


def load(profile: Profile, precision: str) -> Flux:
    """Load the networks."""
    if profile.checkpoint is None:
        raise ModelError(f"{profile.name} has no files")
    pipe, resolved = load_pipeline(profile.checkpoint, precision)
    return Flux(profile, pipe, resolved)
