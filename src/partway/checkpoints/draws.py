"""Noise as diffusers draws it: torch's generator on the CPU, one stream for all of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partway.checkpoints.device import library
from partway.noise import check_seed

if TYPE_CHECKING:
    from partway.denoiser import Array


class Draws:
    """Unit Gaussian draws of one shape, the next at each call."""

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        torch = library("torch")
        self._draw: Any = torch.randn
        self._generator: Any = torch.Generator("cpu").manual_seed(check_seed(seed))
        self._shape = shape

    def __call__(self) -> Array:
        """(C, h, w), drawn as a batch of one."""
        return self._draw((1, *self._shape), generator=self._generator)[0].numpy()
