"""How well a strength map is followed, on the exact denoiser. `make bench-maps`.

    adherence  Pearson correlation of a map and the mean local change over many pictures, as in
               Differential Diffusion (Levin & Fried 2023), whose maps were a gradient, a triangle
               and a complex shape; its local distance is LPIPS, here the difference of colours.
               On dial perceptual by a curve measured on other pictures: elsewhere the change of a
               whole run is itself no line over strength. Beside it the same for the changes of
               whole runs of each strength, with steps as wide: what a map that does the same has
    agreement  change of a place of shade g over the change of a whole run at strength g: one with
               steps as wide as the map's, which is what an edit is unless --steps is given, and
               one that takes all N steps for itself

    outside    pixels outside a mask's feather that ten edits in a row changed, on pocket
    feather    mean change of a mask's inside on skies, of the outermost pixels that may show it,
               and the largest step of the mean change from one column to the next, on pocket

The first two through strength_map.keep_source, the rule every family shares. The agreement on
pocket is that of pixels, over the example pictures. Writes docs/results/maps.json and maps.md.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench_outpaint import sky
from partway.calibration import LEAST_GAP, LEVELS, Curve, rising
from partway.denoiser import Array, Row, denoise
from partway.engine import Engine
from partway.examples import HERE
from partway.families.analytic import PROFILE, load
from partway.images import read_bytes
from partway.noise import Noise
from partway.plan import plan_edit
from partway.request import EditRequest
from partway.samplers import get_sampler
from partway.strength import start_noise_fraction
from partway.strength_map import asks_again, keep_source

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
STEPS = (4, 30)
DIALS = ("noise", "standard", "perceptual")
SIDE = 32
PICTURES = 96
SHADES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
ON_ADHERENCE = (
    "On dial perceptual (a curve measured on other pictures) the map is followed as nearly "
    "as change can be made linear; on the others a whole run's own change is no line over "
    "strength, and that is what is missing from 1: *whole runs* is what the map's places would "
    "have if each changed exactly as a run of its strength."
)
ON_AGREEMENT = (
    "Where the last step is wide, as of 4, places of low shade have a second answer of the network "
    "(one more evaluation); *once* is without it. A run that takes all N steps for itself "
    "makes finer ones than any place of a map can."
)
PROMPTS = {"fox.png": "fox, flat", "teapot.png": "teapot, 3d", "angry-face.png": "angry face, 3d"}
POCKET_STEPS = (4, 20)
POCKET_SHADES = (0.2, 0.4, 0.6, 0.8)
FEATHER, BOX = 12, (40, 40, 120, 120)  # of a mask on a sky of 160 × 160
ON_FEATHER = (
    f"Masks on pocket, skies of 160 × 160 painted with a fox, a feather of {FEATHER} pixels to "
    "both sides: mean change inside, in the outermost pixels that may show any of it, and the "
    "largest step of the mean change from one column to the next, in grey levels of 255:"
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


def edited(
    source: Array,
    shares: Array | None,
    strength: float,
    dial: str,
    steps: int,
    *,
    full: bool = False,
    again: bool = True,
) -> Array:
    """One edit (C, h, w) by the empty prompt; of the whole picture where `shares` is None.

    full  with steps as wide as those of a run from strength 1
    """
    curve = measured() if dial == "perceptual" else None
    own, density = (None, steps) if full else (steps, None)
    plan = plan_edit(
        strength, FAMILY.schedule, dial=dial, curve=curve, steps=own, full_steps=density
    )
    start, noise = plan.levels[0], Noise(1, source.shape)
    x = (start.alpha * source + start.sigma * noise()).astype(np.float32)
    solver = get_sampler("euler").solve(x, plan.levels, noise)
    if shares is not None:
        fractions = [
            start_noise_fraction(float(share) * strength, dial, curve=curve)
            for share in shares.flat
        ]
        let_go = _repeated(np.reshape(fractions, shares.shape), source)
        twice = again and asks_again(plan.levels, min(f for f in fractions if f > 0.0))
        solver = keep_source(solver, source, let_go, again=twice)
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


def of_whole_runs(dial: str, steps: int) -> dict[str, float]:
    """Correlation of each map with what whole runs of its strengths change."""
    pictures = sources(count=32)
    at = np.linspace(0.0, 1.0, 21)
    change = [
        float(np.abs(edited(pictures, None, strength, dial, steps, full=True) - pictures).mean())
        for strength in at[1:]
    ]
    return {
        name: round(float(np.corrcoef(m.flat, np.interp(m, at, [0.0, *change]).flat)[0, 1]), 3)
        for name, m in maps().items()
    }


def agreement(dial: str, steps: int, *, full: bool = True, again: bool = True) -> list[float]:
    """Change where the map is g over the change of a whole run at strength g, for SHADES."""
    pictures = sources(count=8)

    def changed(made: Array) -> float:
        return float(np.sqrt(np.square(made - pictures).mean()))

    flat = np.ones((SIDE, SIDE))
    return [
        changed(edited(pictures, flat * shade, 1.0, dial, steps, again=again))
        / changed(edited(pictures, None, shade, dial, steps, full=full))
        for shade in SHADES
    ]


def on_pocket(steps: int) -> list[float]:
    """The same of pixels on pocket, euler, for POCKET_SHADES: mean over the examples."""
    engine = Engine()

    def changed(name: str, **fields: Any) -> float:
        asked = EditRequest(
            source=(HERE / name).read_bytes(), prompt=PROMPTS[name], model="pocket",
            sampler="euler", full_steps=steps, **fields,
        )  # fmt: skip
        with Image.open(HERE / name) as source:
            before = np.asarray(source.convert("RGB"), np.float32)
        after = np.asarray(engine.run(asked).image.convert("RGB"), np.float32)
        return float(np.sqrt(np.square(after - before).mean()))

    def ratio(name: str, level: int) -> float:
        with Image.open(HERE / name) as source:
            grey = read_bytes(Image.new("L", source.size, level))
        mapped = changed(name, strength=1.0, strength_map=grey)
        return mapped / changed(name, strength=level / 255)

    levels = [round(255 * shade) for shade in POCKET_SHADES]
    return [float(np.mean([ratio(name, level) for name in PROMPTS])) for level in levels]


def outside() -> int:
    """Pixels outside the feather of any mask that ten edits in a row on pocket changed."""
    engine, name = Engine(), "fox.png"
    with Image.open(HERE / name) as source:
        first = current = source.convert("RGB")
    never = np.ones((first.height, first.width), bool)
    for turn in range(10):
        left = turn * first.width // 16
        mask = Image.new("L", first.size)
        mask.paste(255, (left, 40, left + 60, 120))
        reach = FEATHER + 1
        never[40 - reach : 120 + reach, max(left - reach, 0) : left + 60 + reach] = False
        asked = EditRequest(
            source=read_bytes(current), prompt=PROMPTS[name], model="pocket", strength=0.7,
            seed=turn, mask=read_bytes(mask), mask_feather=float(FEATHER), full_steps=8,
        )  # fmt: skip
        current = engine.run(asked).image.convert("RGB")
    changed = (np.asarray(current) != np.asarray(first)).any(axis=-1)
    return int(changed[never].sum())


def on_feather(kind: str, strength: float) -> dict[str, Any]:
    """What a mask's edge shows on a sky."""
    source = sky(kind)
    mask = Image.new("L", source.size)
    mask.paste(255, BOX)
    asked = EditRequest(
        source=read_bytes(source), prompt="fox, 3d", model="pocket", strength=strength,
        mask=read_bytes(mask), mask_feather=float(FEATHER),
    )  # fmt: skip
    result = np.asarray(Engine().run(asked).image.convert("RGB")).astype(int)
    change = (result - np.asarray(source).astype(int))[BOX[1] + FEATHER : BOX[3] - FEATHER]
    steps = np.abs(np.diff(change.mean(axis=0), axis=0)).mean(axis=-1)
    left = BOX[0]
    values = {
        "inside": np.abs(change[:, left + FEATHER : BOX[2] - FEATHER]).mean(),
        "outermost": np.abs(change[:, left - FEATHER]).mean(),
        "step": steps[left - FEATHER - 1 : left + FEATHER].max(),
    }
    rounded = {key: round(float(value), 2) for key, value in values.items()}
    return {"sky": kind, "strength": strength} | rounded


def _rounded(ratios: list[float]) -> list[float]:
    return [round(ratio, 2) for ratio in ratios]


def _row(first: str, values: list[float]) -> str:
    return f"| {first} | " + " | ".join(f"{value:.2f}" for value in values) + " |"


def main() -> None:
    """Measure, and write the results."""
    runs: list[dict[str, Any]] = [
        {
            "dial": dial,
            "steps": steps,
            "adherence": {name: round(adherence(m, dial, steps), 3) for name, m in maps().items()},
            "whole_runs": of_whole_runs(dial, steps),
            "agreement": _rounded(agreement(dial, steps)),
            "once": _rounded(agreement(dial, steps, again=False)),
            "own_steps": _rounded(agreement(dial, steps, full=False)),
        }
        for dial in DIALS
        for steps in STEPS
    ]
    pocket = {str(steps): _rounded(on_pocket(steps)) for steps in POCKET_STEPS}
    masks = {
        "outside": outside(),
        "feather": [on_feather(kind, s) for kind in ("flat", "gradient") for s in (0.3, 0.5, 0.8)],
    }
    report = {"analytic": runs, "pocket": pocket, "masks": masks}
    (RESULTS / "maps.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (RESULTS / "maps.md").write_text(page(report), "utf-8")


def page(report: dict[str, Any]) -> str:
    """The results as Markdown."""
    names, runs = list(maps()), report["analytic"]
    untouched = report["masks"]["outside"]
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
            f"| {run['dial']} | {run['steps']}{word} | "
            + " | ".join(f"{run[key][name]:.3f}" for name in names)
            + " |"
            for run in runs
            for key, word in (("adherence", ""), ("whole_runs", ", whole runs"))
        ),
        "",
        ON_ADHERENCE,
        "",
        "Change of a place of that shade, over that of a whole run of that strength in like steps:",
        "",
        "| dial, steps | " + " | ".join(map(str, SHADES)) + " |",
        "|---" * (1 + len(SHADES)) + "|",
        *(
            _row(f"{run['dial']}, {run['steps']}{word}", run[key])
            for run in runs
            for key, word in (
                ("agreement", ""),
                ("once", ", once"),
                ("own_steps", ", against N steps of its own"),
            )
            if key != "once" or run["steps"] == min(STEPS)
        ),
        "",
        ON_AGREEMENT,
        "",
        f"The same in pixels on pocket, euler, mean over {len(PROMPTS)} pictures:",
        "",
        "| steps | " + " | ".join(map(str, POCKET_SHADES)) + " |",
        "|---" * (1 + len(POCKET_SHADES)) + "|",
        *(_row(steps, ratios) for steps, ratios in report["pocket"].items()),
        "",
        ON_FEATHER,
        "",
        "| sky | strength | inside | outermost | largest step |",
        "|---|---|---|---|---|",
        *(
            f"| {row['sky']} | {row['strength']} | {row['inside']:.2f} "
            f"| {row['outermost']:.2f} | {row['step']:.2f} |"
            for row in report["masks"]["feather"]
        ),
        "",
        f"Pixels outside every feather that ten edits of a fox in a row changed: {untouched}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
