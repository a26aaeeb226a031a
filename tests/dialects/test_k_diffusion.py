"""The levels of A1111's line and of ComfyUI's "karras" against k-diffusion, whose code they call.

Both take the schedule from k-diffusion and enter it at a step of their own; where that is, is the
rule that golden.txt holds them to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.k_diffusion import part

from partway.dialects import KINDS, Setting, start_of

sampling, external = part("sampling"), part("external")
torch: Any = pytest.importorskip("torch")

STEPS = (1, 4, 8, 20, 30, 50)
BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
PRODUCT = torch.cumprod(1.0 - BETAS, 0)
TABLE = torch.sqrt((1.0 - PRODUCT) / PRODUCT)
ENDS = (float(TABLE[0]), float(TABLE[-1]))

SCHEDULES: dict[str, Callable[[int], Any]] = {
    "normal": lambda steps: external.DiscreteSchedule(TABLE, quantize=True).get_sigmas(steps),
    "karras": lambda steps: sampling.get_sigmas_karras(steps, *ENDS),
    "exponential": lambda steps: sampling.get_sigmas_exponential(steps, *ENDS),
}


def entered_by_a1111(value: float, steps: int) -> tuple[int, int]:
    """Length of the schedule and the step it is entered at: setup_img2img_steps."""
    return steps, steps - int(min(value, 0.999) * steps) - 1


def entered_by_hires_fix(value: float, steps: int) -> tuple[int, int]:
    length = int(steps / min(value, 0.999))
    return length, length - steps


def entered_by_comfyui(value: float, steps: int) -> tuple[int, int]:
    """KSampler.set_steps: the last of int(N / denoise) steps."""
    length = steps if value > 0.9999 else int(steps / value)
    return length, length - steps


@pytest.mark.parametrize("spacing", SCHEDULES)
@pytest.mark.parametrize(
    ("program", "enter"),
    [
        ("a1111", entered_by_a1111),
        ("forge", entered_by_a1111),
        ("a1111-hires", entered_by_hires_fix),
        ("comfyui", entered_by_comfyui),
    ],
)
def test_starts_on_its_sigmas(
    program: str, enter: Callable[[float, int], tuple[int, int]], spacing: str
) -> None:
    """At every hundredth: the same sigma to 1e-3 of it, and as many steps."""
    make = SCHEDULES[spacing]
    known: dict[int, Any] = {}
    for steps in STEPS:
        for value in (hundredth / 100 for hundredth in range(1, 101)):
            length, first = enter(value, steps)
            if length not in known:
                known[length] = make(length)
            sigmas = known[length][first:]
            start = start_of(program, value, Setting(steps, KINDS["sd1"], "euler", spacing))
            nsr = start.noise_fraction / (1.0 - start.noise_fraction)
            assert nsr == pytest.approx(float(sigmas[0]), rel=1e-3), (steps, value)
            assert start.evaluations == len(sigmas) - 1, (steps, value)
