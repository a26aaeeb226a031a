"""Samplers and spacings: how near to the converged result, at how many evaluations.

`make bench-samplers`. Deterministic samplers all tend to one picture, that of the probability-flow
ODE from the same noise; it is rendered with many steps, and each sampler's picture is compared with
it (PSNR of 8-bit RGB; below about 30 dB a difference is easily seen, above 40 dB hardly).
Samplers that draw noise on the way tend to a distribution instead. On the analytic family that is
known, so their pixels are compared with it: colours named by the prompt, equally often, each with
a spread of 0.08.

Writes docs/results/samplers.json, samplers.png, samplers-sheet.png, and the tables inside
docs/samplers.md.
"""

from __future__ import annotations

import argparse
import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench_dial import load_pairs
from partway.engine import Engine
from partway.families.analytic import PROFILE as ANALYTIC
from partway.families.analytic import SPREAD, Analytic
from partway.images import read_bytes, rgb_of
from partway.request import EditRequest
from partway.result import EditResult
from partway.samplers import SAMPLERS
from partway.sheet import Cell, Row, contact_sheet
from partway.spacings import SPACINGS
from pictures import PAIRS, REPOSITORY

DOCS = REPOSITORY / "docs"
RESULTS = DOCS / "results"
EVALUATIONS = (4, 6, 8, 10, 15, 20, 30)
SPACING_EVALUATIONS = (8, 20)  # at which the spacings are compared
STRENGTHS = (0.5, 1.0)
NAMES = [name for name in SAMPLERS if name != "ddim"]  # which is euler
DETERMINISTIC = [name for name in NAMES if not SAMPLERS[name].stochastic]
COLORS = "navy, orange, white"

Table = dict[str, list[float]]  # one row of numbers per name


def steps_for(sampler: str, evaluations: int) -> int:
    """The most steps within a budget of evaluations; at least one."""
    return max((evaluations - 1) // SAMPLERS[sampler].per_step + 1, 1)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB; at most 60, as far as 8 bits can tell."""
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return float(10.0 * np.log10(255.0**2 / max(error, 255.0**2 / 1e6)))


def render(engine: Engine, requests: list[EditRequest]) -> list[NDArray[np.uint8]]:
    """Pictures of requests, sharing network calls."""
    pictures: list[NDArray[np.uint8]] = []
    for outcome in engine.run_many(requests):
        if not isinstance(outcome, EditResult):
            raise outcome
        pictures.append(rgb_of(outcome.image))
    return pictures


def combinations() -> list[tuple[str, str, int]]:
    """(sampler, spacing, evaluations) to render: all counts uniform, some of them otherwise."""
    found = list(product(DETERMINISTIC, ["uniform"], EVALUATIONS))
    others = [spacing for spacing in SPACINGS if spacing != "uniform"]
    return found + list(product(DETERMINISTIC, others, SPACING_EVALUATIONS))


def measure(model: str, cases: list[EditRequest], reference_steps: int) -> dict[str, Any]:
    """Mean PSNR over cases of one strength, by sampler, spacing and evaluations."""
    engine = Engine()
    combos = combinations()
    scores: list[list[float]] = []
    settled: list[float] = []
    for number, case in enumerate(cases, 1):
        references = [
            case.with_(sampler="heun", steps=reference_steps),
            case.with_(sampler="unipc", steps=int(1.5 * reference_steps)),
        ]
        asked = [
            case.with_(sampler=sampler, spacing=spacing, steps=steps_for(sampler, evaluations))
            for sampler, spacing, evaluations in combos
        ]
        truth, other, *pictures = render(engine, references + asked)
        settled.append(psnr(truth, other))
        scores.append([psnr(picture, truth) for picture in pictures])
        print(f"{model} {case.effective_strength}: {number} of {len(cases)}", flush=True)
    means = np.mean(scores, axis=0)
    table: dict[str, Table] = {}
    for (sampler, spacing, _), value in zip(combos, means, strict=True):
        table.setdefault(spacing, {}).setdefault(sampler, []).append(round(float(value), 2))
    return {"reference_agrees": round(float(np.mean(settled)), 1), "psnr": table}


def distribution(sampler: str, evaluations: int, seeds: int) -> tuple[float, float]:
    """Of text-to-image by the analytic family: spread of a colour, largest share off.

    Each pixel should be navy, orange or white, equally often, give or take a spread of 0.08. The
    spread is measured where no end of the 8-bit range clips it: in the green of orange. The size
    is the family's own: a larger picture would be enlarged, which mixes colours.
    """
    request = EditRequest(
        prompt=COLORS, model="analytic", sampler=sampler, steps=steps_for(sampler, evaluations)
    )
    pictures = render(Engine(), [request.with_(seed=seed) for seed in range(1, seeds + 1)])
    pixels = np.concatenate([p.reshape(-1, 3) for p in pictures]) / 127.5 - 1.0
    means = Analytic(ANALYTIC).encode_prompt(COLORS)
    offsets = pixels[:, None] - means[None]
    nearest = np.argmin(np.square(offsets).sum(axis=2), axis=1)
    shares = np.bincount(nearest, minlength=len(means)) / len(pixels)
    spread = float(offsets[nearest == 1, 1, 1].std())
    return spread, float(np.abs(shares - 1.0 / len(means)).max())


def distributions(seeds: int) -> dict[str, list[tuple[float, float]]]:
    """`distribution` of every sampler at every number of evaluations."""
    return {
        name: [
            tuple(round(value, 4) for value in distribution(name, n, seeds)) for n in EVALUATIONS
        ]
        for name in NAMES
    }


def sheet(case: EditRequest) -> Image.Image:
    """One case by samplers and evaluations, to look at."""
    engine = Engine()
    rows: list[Row] = []
    for name in NAMES:
        asked = [case.with_(sampler=name, steps=steps_for(name, n)) for n in EVALUATIONS]
        pictures = map(Image.fromarray, render(engine, asked))
        cells = [Cell(p, str(n)) for p, n in zip(pictures, EVALUATIONS, strict=True)]
        rows.append(Row(name, cells))
    return contact_sheet(
        rows, title=f"{case.prompt}: at most so many evaluations, strength {case.strength:g}"
    )


def plot(report: dict[str, Any], path: Path) -> None:
    """PSNR over evaluations, one panel per model and strength."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    panels = list(report["models"].items())
    figure, axes = plt.subplots(1, len(panels), figsize=(3.2 * len(panels), 3.4), sharey=True)
    figure.set_layout_engine("constrained")
    for axis, (title, values) in zip(axes, panels, strict=True):
        for name, row in values["psnr"]["uniform"].items():
            axis.plot(EVALUATIONS, row, marker="o", markersize=3, label=name)
        axis.set(title=title, xscale="log", xlabel="evaluations")
        axis.set_xticks(EVALUATIONS, EVALUATIONS)
        axis.minorticks_off()
        axis.grid(alpha=0.2)
    axes[0].set_ylabel("PSNR to the converged picture, dB")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def tables(report: dict[str, Any]) -> dict[str, str]:
    """Markdown tables by the name of their place in docs/samplers.md."""
    head = "|" + " {} |" * (len(EVALUATIONS) + 1) + "\n" + "|---" * (len(EVALUATIONS) + 1) + "|"
    by_count = head.format("evaluations", *EVALUATIONS)
    found: dict[str, str] = {}
    lines: list[str] = []
    for title, values in report["models"].items():
        lines += [f"**{title}** (the two references agree to {values['reference_agrees']:.0f} dB)"]
        lines += ["", by_count]
        best = np.max(list(values["psnr"]["uniform"].values()), axis=0)
        for name, row in values["psnr"]["uniform"].items():
            cells = (
                f"**{v:.1f}**" if v == top else f"{v:.1f}" for v, top in zip(row, best, strict=True)
            )
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    found["psnr"] = "\n".join(lines).rstrip()
    lines = []
    for title, values in report["models"].items():
        cells = " | ".join(DETERMINISTIC)
        lines += [f"**{title}**, at {', '.join(map(str, SPACING_EVALUATIONS))} evaluations", ""]
        lines += [f"| spacing | {cells} |", "|---" * (len(DETERMINISTIC) + 1) + "|"]
        picked = [EVALUATIONS.index(n) for n in SPACING_EVALUATIONS]
        for spacing, rows in values["psnr"].items():
            shown = (
                [row[i] for i in picked] if spacing == "uniform" else row for row in rows.values()
            )
            cells = " | ".join(" / ".join(f"{v:.1f}" for v in row) for row in shown)
            lines.append(f"| {spacing} | {cells} |")
        lines.append("")
    found["spacings"] = "\n".join(lines).rstrip()
    lines = [by_count]
    for name, row in report["distribution"].items():
        cells = (f"{spread:.3f} / {100 * off:.1f} %" for spread, off in row)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    found["distribution"] = "\n".join(lines)
    return found


def fill_in(page: Path, found: dict[str, str]) -> None:
    """Put each table between its pair of comments in a page."""
    text = page.read_text("utf-8")
    for name, table in found.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = place.sub(lambda m, table=table: f"{m[1]}{table}\n{m[2]}", text)
    page.write_text(text, "utf-8")


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=3, help="held-out pictures")
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--reference-steps", type=int, default=60, help="of heun")
    parser.add_argument("--write-only", action="store_true", help="tables and plot from the JSON")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / "samplers.json"
    if not options.write_only:
        file.write_text(json.dumps(measured(options), indent=1) + "\n", "utf-8")
    report = json.loads(file.read_text("utf-8"))
    plot(report, RESULTS / "samplers.png")
    fill_in(DOCS / "samplers.md", tables(report))
    print(tables(report)["psnr"])


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """The whole report; the sheet is drawn on the way."""
    pairs = load_pairs(PAIRS, options.pairs)
    cases = [
        EditRequest(
            prompt=pair["prompt"], source=read_bytes(pair["source"]), model=options.model, seed=seed
        )
        for seed, pair in enumerate(pairs, 1)
    ]
    pixels = [
        case.with_(model="analytic", prompt=COLORS, seed=case.seed, strength=1.0) for case in cases
    ]
    drawn = sheet(cases[-1].with_(strength=0.7))
    drawn.quantize(256).save(RESULTS / "samplers-sheet.png", optimize=True)
    models = {"analytic, strength 1": measure("analytic", pixels, 4 * options.reference_steps)}
    for strength in STRENGTHS:
        asked = [case.with_(strength=strength) for case in cases]
        title = f"{options.model}, strength {strength:g}"
        models[title] = measure(options.model, asked, options.reference_steps)
    return {
        "pictures": options.pairs,
        "reference": f"heun, {options.reference_steps} steps (analytic: four times as many)",
        "evaluations": EVALUATIONS,
        "spread": SPREAD,
        "models": models,
        "distribution": distributions(6),
    }


if __name__ == "__main__":
    main()
