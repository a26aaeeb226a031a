"""What a diffusers scheduler's config says of the model: its levels, and what it predicts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

from partway.errors import ModelError
from partway.schedule import Schedule, discrete_vp

PREDICTIONS = {"epsilon": "eps", "v_prediction": "v", "sample": "sample"}
# Stands in for a last level of pure noise, at which nothing could be divided by alpha; that of
# diffusers' Euler schedulers.
LEAST_PRODUCT = 2.0**-24
MAX_TIMESTEPS = 100_000


def prediction_of(config: Mapping[str, Any]) -> str:
    """A name in partway.denoiser.PREDICTIONS."""
    asked = config.get("prediction_type", "epsilon")
    if asked not in PREDICTIONS:
        raise ModelError(f"prediction_type is {asked!r}, known are {', '.join(PREDICTIONS)}")
    return PREDICTIONS[asked]


def schedule_of(config: Mapping[str, Any]) -> Schedule:
    """The table of a discrete variance-preserving model; ModelError where it describes none."""
    name, count = config.get("beta_schedule", "linear"), config.get("num_train_timesteps", 1000)
    low, high = config.get("beta_start", 0.0001), config.get("beta_end", 0.02)
    if config.get("trained_betas") is not None:
        raise ModelError("the scheduler has trained_betas, which are not read")
    try:
        whole = 2 <= int(count) <= MAX_TIMESTEPS and 0.0 <= float(low) <= float(high) < 1.0
    except (OverflowError, TypeError, ValueError):
        whole = False
    if not whole:
        raise ModelError(
            f"the scheduler has betas from {low!r} to {high!r} over {count!r} timesteps: want "
            f"0 ≤ … ≤ … < 1 over 2 … {MAX_TIMESTEPS}"
        )
    zero_snr = bool(config.get("rescale_betas_zero_snr", False))
    return discrete_vp(_log_nsr(name, float(low), float(high), int(count), zero_snr=zero_snr))


def log_nsr_of(product: float) -> float:
    """Log noise-to-signal ratio of a running product of 1 - beta, finite at both its ends."""
    inside = min(max(product, LEAST_PRODUCT), 1.0 - LEAST_PRODUCT)
    return 0.5 * math.log((1.0 - inside) / inside)


@cache
def _log_nsr(
    name: str, low: float, high: float, count: int, *, zero_snr: bool
) -> tuple[float, ...]:
    """Log noise-to-signal ratio by timestep: alphas_cumprod is the running product of 1 - beta."""
    if name == "scaled_linear":
        root, end = math.sqrt(low), math.sqrt(high)
        betas = [(root + (end - root) * i / (count - 1)) ** 2 for i in range(count)]
    elif name == "linear":
        betas = [low + (high - low) * i / (count - 1) for i in range(count)]
    elif name == "squaredcos_cap_v2":
        bar = [math.cos((i / count + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(count + 1)]
        betas = [min(1.0 - there / here, 0.999) for here, there in pairwise(bar)]
    else:
        raise ModelError(
            f"beta_schedule is {name!r}, known are scaled_linear, linear, squaredcos_cap_v2"
        )
    products = list(accumulate(betas, lambda product, beta: product * (1.0 - beta), initial=1.0))
    products = products[1:]
    if zero_snr:
        products = _rescaled(products)
    return tuple(log_nsr_of(product) for product in products)


def _rescaled(products: list[float]) -> list[float]:
    """The last level moved to pure noise (Lin et al. 2024, algorithm 1)."""
    roots = [math.sqrt(product) for product in products]
    scale = roots[0] / (roots[0] - roots[-1])
    return [((root - roots[-1]) * scale) ** 2 for root in roots]
