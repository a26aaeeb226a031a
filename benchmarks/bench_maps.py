"""How well a strength map is followed, on the exact denoiser. `make bench-maps`.

    adherence  Pearson correlation of a map and the mean local change over many pictures, as in
               Differential Diffusion (Levin & Fried 2023), whose maps were a gradient, a triangle
               and a complex shape; its local distance is LPIPS, here the difference of colours.
               On dial perceptual by a curve measured on other pictures: elsewhere the change of a
               whole run is itself no line over strength, and no map can be better than that
    agreement  change of a place of shade g over the change of a whole run at strength g

Both through denoiser.keep_source, the rule every family shares. Writes docs/results/maps.json and
maps.md.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from partway.calibration import LEAST_GAP, LEVELS, Curve, rising
from partway.denoiser import Array, Row, denoise, keep_source
from partway.families.analytic import PROFILE, load
from partway.noise import Noise
from partway.plan import plan_edit
from partway.samplers import get_sampler
from partway.strength import start_noise_fraction

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
STEPS = (4, 30)
DIALS = ("noise", "standard", "perceptual")
SIDE = 32
PICTURES = 96
SHADES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
ON_ADHERENCE = (
    "On dial perceptual (a curve measured on other pictures) the map is followed as nearly "
    "as change can be made linear; on the others a whole run's own change is no line over "
    "strength, and that is what is missing from 1."
)
ON_AGREEMENT = (
    "Within 10 % at 30 steps from shade 0.3 up, and on dial standard everywhere; below "
    "that, the last step is wider than the shade, and the place is asked at a higher noise "
    "than its own."
)
FAMILY = load(PROFILE, "fp32")


def maps() -> dict[str, Array]:
    """(H, W) shares of the strength, 0 … 1."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1.0)
    angle, radius = np.arctan2(y - 0.5, x - 0.5), np.hypot(y - 0.5, x - 0.5)
    star = np.clip(1.2 - radius / (0.3 + 0.1 * np.cos(5 * angle)), 0.0, 1.0)
    return {"gradient": x, "triangle": 1.0 - np.abs(2.0 * x - 1.0), "complex shape": star}


def sources(seed: int = 7, count: int = PICTURES) -> Array:
    """Flat-patched pictures in -1 … 1, one below the other: (C, count * h, w).

    The denoiser looks at each pixel alone, so a tall picture is many, each with its own noise.
    """
    coarse = np.random.RandomState(seed).uniform(-1, 1, (3, count * 8, 8))
    return np.kron(coarse, np.ones((1, SIDE // 8, SIDE // 8))).astype(np.float32)


def edited(source: Array, shares: Array | None, strength: float, dial: str, steps: int) -> Array:
    """One edit (C, h, w) by the empty prompt; of the whole picture where `shares` is None."""
    curve = measured() if dial == "perceptual" else None
    plan = plan_edit(strength, FAMILY.schedule, dial=dial, curve=curve, steps=steps)
    start, noise = plan.levels[0], Noise(1, source.shape)
    x = (start.alpha * source + start.sigma * noise()).astype(np.float32)
    solver = get_sampler("euler").solve(x, plan.levels, noise)
    if shares is not None:
        fractions = [
            start_noise_fraction(float(share) * strength, dial, curve=curve)
            for share in shares.flat
        ]
        solver = keep_source(solver, source, _repeated(np.reshape(fractions, shares.shape), source))
    condition = FAMILY.encode_prompt("")
    query = next(solver)
    try:
        while True:
            query = solver.send(denoise(FAMILY, [Row(query.x, query.level, condition)])[0])
    except StopIteration as done:
        return done.value


def _repeated(plane: Array, pictures: Array) -> Array:
    """(1, H, w): a map (h, w) for each of the pictures below one another."""
    return np.tile(plane, (pictures.shape[1] // SIDE, 1))[None]


@cache
def measured() -> Curve:
    """The curve of dial perceptual, of whole runs on pictures that no map is measured on."""
    levels = (0.02, 0.05, *LEVELS[1:])
    pictures = sources(seed=8)
    changes = [np.abs(edited(pictures, None, at, "noise", 30) - pictures).mean() for at in levels]
    shares = rising([float(change) for change in changes])
    knots = [(0.0, 0.0)]
    for share, level in zip(shares / shares[-1], levels, strict=True):
        if knots[-1][0] + LEAST_GAP < share < 1.0 - LEAST_GAP:
            knots.append((float(share), level))
    return Curve((*knots, (1.0, 1.0)))


def adherence(shares: Array, dial: str, steps: int) -> float:
    """Correlation of a map with the mean change it leads to, at strength 1."""
    pictures = sources()
    change = np.abs(edited(pictures, shares, 1.0, dial, steps) - pictures).mean(axis=0)
    mean = change.reshape(PICTURES, SIDE, SIDE).mean(axis=0)
    return float(np.corrcoef(shares.ravel(), mean.ravel())[0, 1])


def agreement(dial: str, steps: int) -> list[float]:
    """Change where the map is g over the change of a whole run at strength g, for SHADES."""
    pictures = sources(count=8)

    def change(shares: Array | None, strength: float) -> float:
        made = edited(pictures, shares, strength, dial, steps)
        return float(np.sqrt(np.square(made - pictures).mean()))

    flat = np.ones((SIDE, SIDE))
    return [change(flat * shade, 1.0) / change(None, shade) for shade in SHADES]


def main() -> None:
    """Measure, and write the results."""
    runs: list[dict[str, Any]] = [
        {
            "dial": dial,
            "steps": steps,
            "adherence": {name: round(adherence(m, dial, steps), 3) for name, m in maps().items()},
            "agreement": [round(ratio, 2) for ratio in agreement(dial, steps)],
        }
        for dial in DIALS
        for steps in STEPS
    ]
    (RESULTS / "maps.json").write_text(json.dumps(runs, indent=1) + "\n", "utf-8")
    names = list(maps())
    lines = [
        "# How a strength map is followed",
        "",
        f"The exact denoiser of family `analytic`, euler, {PICTURES} pictures of {SIDE} × {SIDE}.",
        "",
        "Correlation of the map with the mean local change, at strength 1:",
        "",
        "| dial | steps | " + " | ".join(names) + " |",
        "|---" * (2 + len(names)) + "|",
        *(
            f"| {run['dial']} | {run['steps']} | "
            + " | ".join(f"{run['adherence'][name]:.3f}" for name in names)
            + " |"
            for run in runs
        ),
        "",
        ON_ADHERENCE,
        "",
        "Change of a place of that shade, over the change of a whole run at that strength:",
        "",
        "| dial | steps | " + " | ".join(map(str, SHADES)) + " |",
        "|---" * (2 + len(SHADES)) + "|",
        *(
            f"| {run['dial']} | {run['steps']} | "
            + " | ".join(f"{ratio:.2f}" for ratio in run["agreement"])
            + " |"
            for run in runs
        ),
        "",
        ON_AGREEMENT,
        "",
    ]
    (RESULTS / "maps.md").write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
