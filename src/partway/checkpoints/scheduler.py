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


def prediction_of(config: Mapping[str, Any]) -> str:
    """A name in partway.denoiser.PREDICTIONS."""
    asked = config.get("prediction_type", "epsilon")
    if asked not in PREDICTIONS:
        raise ModelError(f"prediction_type is {asked!r}, known are {', '.join(PREDICTIONS)}")
    return PREDICTIONS[asked]


def schedule_of(config: Mapping[str, Any]) -> Schedule:
    """The table of a discrete variance-preserving model."""
    return discrete_vp(
        _log_nsr(
            config.get("beta_schedule", "linear"),
            float(config.get("beta_start", 0.0001)),
            float(config.get("beta_end", 0.02)),
            int(config.get("num_train_timesteps", 1000)),
            zero_snr=bool(config.get("rescale_betas_zero_snr", False)),
        )
    )


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
    kept = [max(product, LEAST_PRODUCT) for product in products]
    return tuple(0.5 * math.log((1.0 - product) / product) for product in kept)


def _rescaled(products: list[float]) -> list[float]:
    """The last level moved to pure noise (Lin et al. 2024, algorithm 1)."""
    roots = [math.sqrt(product) for product in products]
    scale = roots[0] / (roots[0] - roots[-1])
    return [((root - roots[-1]) * scale) ** 2 for root in roots]
