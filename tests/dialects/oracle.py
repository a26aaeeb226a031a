"""Whole schedules as arrays, sliced as each program slices them: what golden.txt was made with.

python tests/dialects/oracle.py > tests/dialects/golden.txt

Written from the programs' formulas without partway.dialects, which computes single points.
A line: program, kind, spacing, steps, then "value:noise:evaluations" wherever either changes over
0.01 … 1.00 ("x" where the program fails).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Result = tuple[float, int] | None

STEPS = (1, 4, 8, 20, 30, 50)
VALUES = [i / 100 for i in range(1, 101)]
FLUX_SHIFT = float(np.exp(1.15))
BETAS: Array = np.asarray(np.linspace(0.00085**0.5, 0.012**0.5, 1000), dtype=np.float64) ** 2
PRODUCT: Array = np.asarray(np.cumprod(1.0 - BETAS), dtype=np.float64)
LOG: Array = 0.5 * np.log((1.0 - PRODUCT) / PRODUCT)


def at(times: object) -> Array:
    """Sigmas at timesteps."""
    return np.exp(np.interp(np.asarray(times, dtype=np.float64), np.arange(1000), LOG))


def bend(u: object) -> Array:
    """Flux's shift at 1024 × 1024."""
    level = np.asarray(u, dtype=np.float64)
    return FLUX_SHIFT * level / (1.0 + (FLUX_SHIFT - 1.0) * level)


def ramp(n: int) -> Array:
    return np.linspace(0.0, 1.0, n)


def normal(n: int) -> Array:
    return at(np.linspace(999.0, 0.0, n))


def karras(n: int) -> Array:
    low, high = np.exp(LOG[0]) ** (1 / 7), np.exp(LOG[-1]) ** (1 / 7)
    return (high + ramp(n) * (low - high)) ** 7


def simple(n: int) -> Array:
    table, step = np.exp(LOG), 1000 / n
    return np.array([table[-(1 + int(x * step))] for x in range(n)])


def flux_simple(n: int) -> Array:
    table, step = bend(np.arange(1, 10001) / 10000), 10000 / n
    return np.array([table[-(1 + int(x * step))] for x in range(n)])


def leading(n: int) -> Array:
    return at((np.arange(n) * (1000 // n))[::-1] + 1)


def flow(n: int) -> Array:
    return bend(np.linspace(1.0, 1.0 / n, n))


Make = Callable[[int], Array]


def rest(sigmas: Array) -> Result:
    """What is left of a schedule: its first level and its length; nothing at its end."""
    return (float(sigmas[0]), len(sigmas)) if len(sigmas) else (0.0, 0)


def diffusers(s: float, n: int, make: Make) -> Result:
    kept = make(n)[max(n - min(int(n * s), n), 0) :]
    return rest(kept) if len(kept) else None


def diffusers_flow(s: float, n: int, make: Make) -> Result:
    kept = make(n)[int(max(n - min(n * s, n), 0)) :]
    return rest(kept) if len(kept) else None


def a1111(s: float, n: int, make: Make) -> Result:
    return rest(make(n)[n - int(min(s, 0.999) * n) - 1 :])


def a1111_hires(s: float, n: int, make: Make) -> Result:
    return rest(make(int(n / min(s, 0.999)))[-n:])


def comfyui(s: float, n: int, make: Make) -> Result:
    return rest(make(n if s > 0.9999 else int(n / s))[-n:])


def swarmui(s: float, n: int, make: Make) -> Result:
    return rest(make(n)[int(np.rint(n * (1 - s))) :])


def krita(s: float, n: int, make: Make) -> Result:
    start = int(np.rint(n * (1 - s)))
    if n - start < 4:
        n = int(np.floor(4 / s))
        start = n - 4
    return rest(make(n)[start:])


def sdnext(s: float, n: int, make: Make) -> Result:
    n = int(n // s) + 1
    return diffusers(s, n, make)


def sdcpp(s: float, n: int, make: Make) -> Result:
    if s >= 1:
        return rest(make(n))
    encoded = int(np.float32(n) * np.float32(s))
    return rest(make(n)[n - min(encoded, n - 1) - 1 :])


def sdcpp_noise(s: float, n: int, make: Make) -> Result:
    sigmas = make(n)
    target = np.inf if s >= 1 else s / (1 - s)
    found = np.flatnonzero(sigmas <= target)
    return rest(sigmas[found[0] if len(found) else n - 1 :])


def openvino(s: float, n: int, make: Make) -> Result:
    kept = make(n)[n - min(int(np.float32(n) * np.float32(s)), n) :]
    return rest(kept) if len(kept) else None


def invokeai(s: float, n: int, make: Make) -> Result:
    times = np.linspace(0, 999, n)[::-1]
    return rest(at(times)[int(np.sum(times >= round(1000 * s) - 1e-6)) :])


def invokeai_flux(s: float, n: int, make: Make) -> Result:
    level = s**0.2
    return level, n - int(np.flatnonzero(make(n) >= level)[-1])


def invokeai_plain(s: float, n: int, make: Make) -> Result:
    return s, n - int(np.flatnonzero(make(n) >= s)[-1])


def mflux(s: float, n: int, make: Make) -> Result:
    return rest(make(n)[max(1, int(n * s)) :])


def drawthings(s: float, n: int, make: Make) -> Result:
    if 1000 * s >= 999:
        return np.inf, n
    position = (1 - 1000 * s / 999) * (n - 1) if n > 1 else 0.0
    return float(at(1000 * s)), n - int(np.floor(position + 1e-9))


TABLE: list[tuple[str, str, str | None, Callable[[float, int, Make], Result], Make]] = [
    ("diffusers", "sdxl", None, diffusers, leading),
    ("diffusers", "flux", None, diffusers_flow, flow),
    ("openvino", "sd1", None, openvino, leading),
    ("a1111", "sd1", None, a1111, normal),
    ("a1111", "sd1", "karras", a1111, karras),
    ("a1111-hires", "sd1", None, a1111_hires, normal),
    ("sdnext", "sd1", None, sdnext, leading),
    ("comfyui", "sd1", None, comfyui, normal),
    ("comfyui", "sd1", "karras", comfyui, karras),
    ("comfyui", "sd1", "simple", comfyui, simple),
    ("comfyui", "flux", None, comfyui, flux_simple),
    ("fooocus", "sdxl", None, comfyui, karras),
    ("swarmui", "sd1", None, swarmui, normal),
    ("krita", "sd1", None, krita, karras),
    ("invokeai", "sd1", None, invokeai, normal),
    ("invokeai", "flux", None, invokeai_flux, flow),
    ("invokeai-plain", "flux", None, invokeai_plain, flow),
    ("sdcpp", "sd1", None, sdcpp, normal),
    ("sdcpp-noise", "sd1", None, sdcpp_noise, normal),
    ("mflux", "flux", None, mflux, flow),
    ("drawthings", "sd1", None, drawthings, normal),
]


def lines() -> Iterator[str]:
    """golden.txt."""
    for program, kind, spacing, rule, make in TABLE:
        for steps in STEPS:
            cells: list[str] = []
            last = ""
            for value in VALUES:
                found = rule(value, steps, make)
                told = "x" if found is None else _told(*found, is_flow=kind == "flux")
                if told != last:
                    cells.append(f"{value:g}:{told}")
                    last = told
            yield f"{program} {kind} {spacing or '-'} {steps} {' '.join(cells)}"


def _told(sigma: float, evaluations: int, *, is_flow: bool) -> str:
    fraction = sigma if is_flow or np.isinf(sigma) else sigma / (1.0 + sigma)
    return f"{min(fraction, 1.0):.4f}:{evaluations}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
