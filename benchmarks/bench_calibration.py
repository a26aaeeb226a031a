"""Is measured change linear in the dial? `make calibrate-pocket`, and what came of it.

The style pairs are dealt into FOLDS parts of different pictures. Each part is measured at
0.1 … 0.9 of dial `perceptual` by the curve that the other parts give, so that every picture is held
out once; the curve and the gain that are kept come from all of them. For pocket and for pocket-v0,
an earlier model of the same domain. `--write` stores pocket's curve and gain in its config.json.
Writes docs/results/calibration.json and calibration.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_dial import load_pairs
from partway.calibration import FULL, LEVELS, Calibration, fit
from partway.edits.measure import changes
from partway.edits.target import Found, find
from partway.engine import Engine
from partway.errors import Unreachable
from partway.families import EMBEDDED, profile_of
from partway.images import read_bytes
from partway.request import EditRequest
from partway.settings import networks_of
from partway.strength import WORDS, named_strength
from pictures import PAIRS

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
POINTS = [round(0.1 * i, 1) for i in range(1, 10)]
KEEPS = (0.85, 0.7, 0.5, 0.3)
MODELS = {"pocket": "pocket", "pocket-v0": str(PAIRS.parent)}
FOLDS = 4
LEAST_PEARSON, MOST_APART = 0.97, 0.05


def requests(pairs: list[dict[str, Any]], model: str) -> list[EditRequest]:
    """The pairs' sources, to be edited towards their prompts."""
    return [
        EditRequest(prompt=pair["prompt"], source=read_bytes(pair["source"]), model=model)
        for pair in pairs
    ]


def held_out(
    engine: Engine, asked: list[EditRequest], measured: NDArray[np.float64]
) -> dict[str, Any]:
    """Change over dial `perceptual`, each picture by a curve that never saw it.

    measured  (pictures, LEVELS) change of each of `asked`

    Mean, spread over pictures, Pearson of means and of all.
    """
    every = np.empty((len(asked), len(POINTS)))
    for part in range(FOLDS):
        others = np.arange(len(asked)) % FOLDS != part
        curve = fit(LEVELS, measured[others]).curve
        levels = [curve.noise_fraction(point) for point in POINTS]
        every[part::FOLDS] = changes(engine.run_many, asked[part::FOLDS], levels)
    means = every.mean(axis=0)
    own = [pearson(POINTS, row) for row in every]
    return {
        "points": POINTS,
        "change": means.round(4).tolist(),
        "spread": every.std(axis=0).round(4).tolist(),
        "pearson": round(pearson(POINTS, means), 4),
        "pearson_of_one_picture": round(float(np.median(own)), 4),
        "pearson_over_all": round(pearson(np.tile(POINTS, len(every)), every.ravel()), 4),
    }


def pearson(a: Any, b: NDArray[np.floating[Any]]) -> float:
    """Correlation of two rows."""
    return float(np.corrcoef(np.asarray(a), b)[0, 1])


def targets(engine: Engine, asked: list[EditRequest], found: Calibration) -> list[dict[str, Any]]:
    """How well --keep meets its share, a row per share."""
    rows: list[dict[str, Any]] = []
    for keep in KEEPS:
        results: list[Found] = []
        for request in asked:
            try:
                results.append(find(engine.run, request, keep, gain=found.gain, curve=found.curve))
            except Unreachable:
                continue
        rows.append(
            {
                "keep": keep,
                "pictures": len(asked),
                "unreachable": len(asked) - len(results),
                "within_2_points": sum(not each.missed(keep) for each in results),
                "mean_runs": round(float(np.mean([each.renders for each in results])), 2),
                "most_runs": max(each.renders for each in results),
            }
        )
    return rows


def write_into(folder: Path, found: Calibration) -> None:
    """Store a calibration in a checkpoint's config.json."""
    file = folder / "config.json"
    config = json.loads(file.read_text("utf-8"))
    stored = found.stored()
    config["gain"] = stored.pop("gain")
    config["calibration"] = {key: stored[key] for key in ("curve", "full", "pictures")}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in config.items()]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def table(report: dict[str, Any]) -> str:
    """Markdown."""
    first, second = (report["models"][name] for name in MODELS)
    about = (
        f"{report['pairs']} style pairs, each measured by a curve fitted on the others (in "
        f"{FOLDS} parts). Change is 1 − kept structure, by the rule {FULL:g} × strength; ± is "
        "the standard deviation over pictures."
    )
    lines = [
        about,
        "",
        "| perceptual | " + " | ".join(MODELS) + " | apart |",
        "|---|---|---|---|",
    ]
    for i, point in enumerate(POINTS):
        cells = [f"{m['change'][i]:.3f} ± {m['spread'][i]:.3f}" for m in (first, second)]
        apart = abs(first["change"][i] - second["change"][i])
        lines.append(f"| {point:g} | {' | '.join(cells)} | {apart:.3f} |")
    names = {
        "pearson": "Pearson of mean change and dial",
        "pearson_of_one_picture": "the same of one picture, median",
        "pearson_over_all": "over all pictures and points together",
    }
    for key, words in names.items():
        lines.append(f"| {words} | {first[key]:.4f} | {second[key]:.4f} | |")
    lines.append(f"| gain | {first['gain']:g} | {second['gain']:g} | |")
    for word in WORDS:
        cells = " | ".join(f"{m['words'][word]:g}" for m in (first, second))
        lines.append(f"| `-s {word}`, on dial standard | {cells} | |")
    if first["weights"] == second["weights"]:
        same = "Both are the same weights at present: that they agree shows nothing yet."
        lines += ["", same]
    lines += [
        "",
        "pocket, `--keep`:",
        "",
        "| keep | within 2 points | runs, mean | runs, most | out of reach |",
        "|---|---|---|---|---|",
    ]
    for row in report["targets"]:
        lines.append(
            f"| {row['keep']:.0%} | {row['within_2_points']} of "
            f"{row['pictures'] - row['unreachable']} | {row['mean_runs']} | {row['most_runs']} | "
            f"{row['unreachable']} |"
        )
    return "\n".join(lines) + "\n"


def last_report(pairs: int) -> dict[str, Any]:
    """The models of the report that is there, if it is of as many pairs."""
    file = RESULTS / "calibration.json"
    report: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return report["models"] if report.get("pairs") == pairs else {}


def broken_promises(report: dict[str, Any]) -> list[str]:
    """What of the dial's promises a report does not show, in words."""
    broken: list[str] = []
    first, second = (report["models"][name] for name in MODELS)
    for name, model in report["models"].items():
        if model["pearson"] < LEAST_PEARSON:
            broken.append(f"{name}: Pearson {model['pearson']} is below {LEAST_PEARSON}")
    if first["weights"] == second["weights"]:
        broken.append("pocket and pocket-v0 are the same weights: that they agree shows nothing")
    if report["apart"] > MOST_APART:
        broken.append(f"the models are up to {report['apart']} apart, want {MOST_APART}")
    return broken


def main() -> None:
    """Fit, store where asked, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--targets", type=int, default=16, help="pictures to try --keep on")
    parser.add_argument("--write", action="store_true", help="into pocket's config.json")
    options = parser.parse_args()
    pairs = load_pairs(PAIRS, options.pairs)
    before = last_report(len(pairs))
    models: dict[str, Any] = {}
    targeted: list[dict[str, Any]] = []
    for name, model in MODELS.items():
        weights = networks_of(profile_of(model).folder)
        known = before.get(name, {})
        if name not in EMBEDDED and known.get("weights") == weights:
            models[name] = known  # measured before on these pairs, and the same since
            continue
        engine, asked = Engine(), requests(pairs, model)
        measured = changes(engine.run_many, asked)
        found = fit(LEVELS, measured)
        if options.write and name in EMBEDDED:
            write_into(EMBEDDED[name], found)
        words = {word: named_strength(word, gain=found.gain, curve=found.curve) for word in WORDS}
        models[name] = {
            "weights": weights,
            **found.stored(),
            **held_out(engine, asked, measured),
            "words": words,
        }
        print(name, json.dumps(models[name]), flush=True)
        if name == "pocket":
            without = fit(LEVELS, measured[options.targets :])
            targeted = targets(engine, asked[: options.targets], without)
    first, second = (np.array(models[name]["change"]) for name in MODELS)
    report = {
        "pairs": len(pairs),
        "apart": round(float(np.abs(first - second).max()), 4),
        "models": models,
        "targets": targeted,
    }
    (RESULTS / "calibration.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (RESULTS / "calibration.md").write_text(table(report), "utf-8")
    print(table(report))
    if broken := broken_promises(report):
        sys.exit("; ".join(broken))


if __name__ == "__main__":
    main()
