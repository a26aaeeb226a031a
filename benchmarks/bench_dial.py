"""The dial on held-out pictures: what each strength keeps, for each dial. `make bench-dial`.

For pairs (source in style A, prompt naming style B, true picture in style B) whose target was
never trained on, every strength of the dials `standard` and `noise` is rendered and compared

    kept structure, kept colour    partway.fidelity, result against source, 1 = identical
    to target                      RMS difference of 16 × 16 block means, colours in [-1, 1]

Writes docs/results/dial.json, dial.md and dial.png. Fails where a promise
does not hold. With --fit-gain it only prints the gain with which dial `standard` best meets the
bands on other pairs than those it reports.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partway.calibration import fit_gain
from partway.engine import Engine
from partway.families import profile_of
from partway.fidelity import kept
from partway.images import read_bytes, rgb_of
from partway.request import EditRequest
from partway.result import EditResult
from partway.strength import start_noise_fraction
from pictures import PAIRS, on

RESULTS = Path(__file__).parent.parent / "docs" / "results"
FIXED = ("standard", "sd1", "noise")  # perceptual: see bench_calibration
STRENGTHS = [round(0.1 * i, 1) for i in range(11)]


def block_means(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(H, W, 3) → 16 × 16 block means in [-1, 1]."""
    height, width = (side // 16 * 16 for side in rgb.shape[:2])
    blocks = rgb[:height, :width].reshape(height // 16, 16, width // 16, 16, 3)
    return blocks.mean(axis=(1, 3)) / 127.5 - 1.0


def distance(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """RMS difference of block means."""
    return float(np.sqrt(np.mean((block_means(a) - block_means(b)) ** 2)))


def on_white(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) of a drawing on white."""
    with Image.open(path) as drawing:
        return np.asarray(on(drawing.convert("RGBA")))


def load_pairs(folder: Path, count: int, *, from_end: bool = False) -> list[dict[str, Any]]:
    """`count` pairs in a seeded order, pictures on white; from the end for fitting.

    prompt asks for the target, caption says what the source is.
    """
    entries = json.loads((folder.parent / "pairs.json").read_text("utf-8"))["pairs"]
    random.Random(1).shuffle(entries)  # noqa: S311  a fixed choice, not a secret
    chosen = entries[-count:] if from_end else entries[:count]
    return [
        {
            "prompt": entry["prompt"],
            "caption": f"{entry['subject']}, {entry['source']['style']}",
            "source": on_white(folder / entry["source"]["file"]),
            "target": on_white(folder / entry["target"]["file"]),
        }
        for entry in chosen
    ]


def measure(pairs: list[dict[str, Any]], fractions: list[float], model: str) -> dict[str, Any]:
    """Mean scores over all pairs at each noise fraction, and whether 1 equals text-to-image."""
    engine = Engine()
    rows: dict[float, list[tuple[float, float, float]]] = {f: [] for f in fractions}
    equal: list[bool] = []
    for number, pair in enumerate(pairs, start=1):
        request = EditRequest(
            prompt=pair["prompt"], source=read_bytes(pair["source"]), dial="noise", model=model
        )
        outcomes = engine.run_many([request.with_(strength=f) for f in fractions])
        height, width = pair["source"].shape[:2]
        text = engine.run(request.with_(source=None, strength=None, size=(width, height)))
        for fraction, outcome in zip(fractions, outcomes, strict=True):
            if not isinstance(outcome, EditResult):
                raise outcome
            rgb = rgb_of(outcome.image)
            scores = kept(pair["source"], rgb)
            rows[fraction].append((scores.structure, scores.color, distance(rgb, pair["target"])))
        exact = engine.run(request.with_(strength=1.0))
        equal.append(np.array_equal(rgb_of(exact.image), rgb_of(text.image)))
        print(f"\r{number} of {len(pairs)} pairs", end="", flush=True)
    print()
    means = {f: np.mean(values, axis=0).round(4).tolist() for f, values in rows.items()}
    return {"means": means, "equal_to_text": sum(equal)}


def dial_rows(fractions: list[float], means: dict[float, list[float]]) -> list[dict[str, float]]:
    """One row per strength of a dial whose levels are `fractions`."""
    known = sorted(means)
    columns = [np.interp(fractions, known, [means[f][i] for f in known]) for i in range(3)]
    values = zip(STRENGTHS, fractions, *columns, strict=True)
    keys = ("strength", "noise_fraction", "structure", "color", "to_target")
    return [dict(zip(keys, (round(float(v), 4) for v in row), strict=True)) for row in values]


def table(dials: dict[str, list[dict[str, float]]], source_distance: float) -> str:
    """Markdown."""
    lines = [
        "| strength | " + " | ".join(f"{d}: noise / structure / colour / to target" for d in dials),
        "|---" * (len(dials) + 1) + "|",
    ]
    for i, strength in enumerate(STRENGTHS):
        cells = [
            "{noise_fraction:.2f} / {structure:.0%} / {color:.0%} / {to_target:.3f}".format(**d[i])
            for d in dials.values()
        ]
        lines.append(f"| {strength:.1f} | " + " | ".join(cells) + " |")
    lines += ["", "The rows of sd1 are interpolated between the levels rendered for the others."]
    lines += ["", f"The sources themselves are {source_distance:.3f} from their targets."]
    return "\n".join(lines) + "\n"


def plot(dials: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Kept structure and colour over strength."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for (name, rows), color in zip(dials.items(), ("#0b6e99", "#d9730d", "#6a6a6a"), strict=True):
        strengths = [row["strength"] for row in rows]
        for key, style in (("structure", "-"), ("color", ":")):
            values = [100 * row[key] for row in rows]
            axes.plot(strengths, values, style, color=color, label=f"{name}: {key}")
    for low, high in ((0.3, 0.5), (0.7, 0.85)):
        axes.axvspan(low, high, color="#000000", alpha=0.05, lw=0)
    axes.set(xlabel="strength", ylabel="kept, %", xlim=(0, 1), ylim=(-5, 102))
    axes.legend(frameon=False, ncols=3, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.14))
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--fit-gain", action="store_true")
    options = parser.parse_args()
    pairs = load_pairs(PAIRS, options.pairs, from_end=options.fit_gain)
    gain = profile_of(options.model).gain
    if options.fit_gain:
        grid = [round(0.05 * i, 2) for i in range(21)]
        means = measure(pairs, grid, options.model)["means"]
        print(f"gain {fit_gain(grid, np.array([means[f][0] for f in grid]))}")
        return
    wanted = {d: [start_noise_fraction(s, d, gain) for s in STRENGTHS] for d in FIXED}
    # `sd1` visits the same levels as `standard` at other numbers: its rows are interpolated
    # between the levels of the other two.
    rendered = sorted({f for dial in ("standard", "noise") for f in wanted[dial]})
    measured = measure(pairs, rendered, options.model)
    dials = {dial: dial_rows(fractions, measured["means"]) for dial, fractions in wanted.items()}
    source_distance = float(np.mean([distance(p["source"], p["target"]) for p in pairs]))
    report = {
        "model": options.model,
        "gain": gain,
        "pairs": len(pairs),
        "source_to_target": round(source_distance, 4),
        "strength_1_equals_text_to_image": f"{measured['equal_to_text']} of {len(pairs)}",
        "dials": dials,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "dial.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (RESULTS / "dial.md").write_text(table(dials, source_distance), "utf-8")
    plot(dials, RESULTS / "dial.png")
    print(table(dials, source_distance))
    print(f"strength 1 equals text-to-image: {report['strength_1_equals_text_to_image']}")
    if broken := broken_promises(report):
        sys.exit("; ".join(broken))


def broken_promises(report: dict[str, Any]) -> list[str]:
    """What of the dial's promises a report does not show, in words."""
    broken: list[str] = []
    for dial, values in report["dials"].items():
        structure = [row["structure"] for row in values]
        if any(a <= b for a, b in pairwise(structure)):
            broken.append(f"kept structure does not fall everywhere on {dial}: {structure}")
    at = {row["strength"]: row["structure"] for row in report["dials"]["standard"]}
    if not all(at[s] >= 0.7 for s in (0.3, 0.4, 0.5)):
        broken.append("composition is not kept at 0.3 … 0.5 on standard")
    if not all(0.2 <= at[s] <= 0.6 for s in (0.7, 0.8)):
        broken.append("structure is not loose at 0.7 … 0.8 on standard")
    if report["strength_1_equals_text_to_image"] != f"{report['pairs']} of {report['pairs']}":
        broken.append("strength 1 is not text-to-image everywhere")
    return broken


if __name__ == "__main__":
    main()
