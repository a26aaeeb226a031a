"""What the autoencoder's residual gives back, and what it leaves alone. `make bench-residual`.

    kept apart    held-out drawings and photographs through the model's own encoder and decoder;
                  the left half unchanged, the right half replaced by another picture: share of
                  the source's fine detail left of the middle, correlation with the residual right
    edits         whole edits of held-out drawings: distance to the source as strength falls
    loops         20 edits one after the other, the prompt saying what the source is or nothing,
                  and 20 passes of the autoencoder alone: CIE76 distance to the first source

Writes docs/results/residual.json and residual.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab

from bench_dial import load_pairs
from partway import images
from partway.engine import Engine
from partway.families import Family, profile_of
from partway.geometry import Extent, canvas_for
from partway.images import Pixels, read_bytes, rgb_of
from partway.request import EditRequest
from partway.residual import restore
from partway.result import EditResult
from partway.strength import start_noise_fraction
from partway.windows import box_blur
from pictures import EVERYDAY, PAIRS, photograph

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
FALLING = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
LOOPS = 20
MARGIN = 16  # pixels beside the middle that belong to neither half
LUMA = np.array([0.299, 0.587, 0.114])


def fine(picture: NDArray[Any]) -> NDArray[Any]:
    """Luma without the mean of 5 × 5 neighbours."""
    luma = (picture @ LUMA).astype(np.float32)
    return luma - box_blur(luma, 2)


def delta_e(a: Pixels, b: Pixels) -> float:
    """Mean CIE76 distance."""
    return float(np.linalg.norm(rgb2lab(a) - rgb2lab(b), axis=-1).mean())


def round_trip(family: Family, rgb: Pixels) -> NDArray[Any]:
    """Encoded, decoded, at its own size."""
    profile = family.profile
    extent = Extent(rgb.shape[1], rgb.shape[0])
    place = canvas_for(extent, profile.native_size, profile.stride, 1)
    return images.from_canvas(family.decode(family.encode(images.to_canvas(rgb, place))), place)


def kept_apart(family: Family, pictures: list[Pixels]) -> list[dict[str, float]]:
    """Pooled over all pictures, a row per strength."""
    trips = [round_trip(family, rgb) for rgb in pictures]
    rows: list[dict[str, float]] = []
    for strength in STRENGTHS:
        start = start_noise_fraction(strength, "standard", family.profile.gain)
        energy = np.zeros(3)
        correlations: list[tuple[float, float]] = []
        for number, (rgb, trip) in enumerate(zip(pictures, trips, strict=True)):
            middle = rgb.shape[1] // 2
            other = trips[(number + 1) % len(trips)]
            drawn = trip.copy()
            drawn[:, middle:] = other[:, middle:]
            restored = restore(drawn, trip, rgb.astype(np.float32), start)
            left, right = np.s_[:, : middle - MARGIN], np.s_[:, middle + MARGIN :]
            energy += [np.square(fine(each)[left]).sum() for each in (rgb, trip, restored)]
            changed = box_blur(np.abs(drawn - trip).max(axis=-1), 2)[right] > 30.0
            residual = fine(rgb - trip)[right][changed]
            if changed.sum() > 100:
                both = [fine(each)[right][changed] for each in (restored, drawn)]
                correlations += [tuple(float(np.corrcoef(each, residual)[0, 1]) for each in both)]
        mean = np.mean(np.abs(correlations), axis=0)
        rows.append(
            {
                "strength": strength,
                "detail_without": round(float(energy[1] / energy[0]), 3),
                "detail_with": round(float(energy[2] / energy[0]), 3),
                "correlation_without": round(float(mean[1]), 3),
                "correlation_with": round(float(mean[0]), 3),
            }
        )
    return rows


def edits(engine: Engine, pairs: list[dict[str, Any]], model: str) -> list[dict[str, float]]:
    """Mean absolute difference to the source, grey levels of 255."""
    totals = np.zeros(len(FALLING))
    for pair in pairs:
        request = EditRequest(prompt=pair["prompt"], source=read_bytes(pair["source"]), model=model)
        outcomes = engine.run_many([request.with_(strength=s) for s in FALLING])
        source = pair["source"].astype(float)
        totals += [np.abs(rgb_of(_made(o).image) - source).mean() for o in outcomes]
    return [
        {"strength": s, "distance": round(float(t), 3)}
        for s, t in zip(FALLING, totals / len(pairs), strict=True)
    ]


def loops(
    engine: Engine, sources: list[Pixels], prompts: list[str], model: str, strength: float
) -> list[float]:
    """Mean distance to the first sources after each round of edits, a new seed each round."""
    current, distances = sources, list[float]()
    for number in range(LOOPS):
        requests = [
            EditRequest(
                source=read_bytes(rgb),
                prompt=prompt,
                strength=strength,
                seed=number + 1,
                model=model,
            )
            for rgb, prompt in zip(current, prompts, strict=True)
        ]
        current = [rgb_of(_made(outcome).image) for outcome in engine.run_many(requests)]
        distances.append(_mean(sources, current))
    return distances


def passes(family: Family, sources: list[Pixels], *, residual: bool) -> list[float]:
    """Mean distance to the first sources after each pass of the autoencoder alone."""
    start = start_noise_fraction(0.2, "standard", family.profile.gain)
    current, distances = sources, list[float]()
    for _ in range(LOOPS):
        trips = [round_trip(family, rgb) for rgb in current]
        if residual:
            both = zip(trips, current, strict=True)
            trips = [restore(trip, trip, rgb.astype(np.float32), start) for trip, rgb in both]
        current = [np.rint(trip).astype(np.uint8) for trip in trips]
        distances.append(_mean(sources, current))
    return distances


def _mean(sources: list[Pixels], current: list[Pixels]) -> float:
    return round(float(np.mean([delta_e(a, b) for a, b in zip(sources, current, strict=True)])), 3)


def _made(outcome: object) -> EditResult:
    if not isinstance(outcome, EditResult):
        raise outcome if isinstance(outcome, Exception) else TypeError(outcome)
    return outcome


def photographs() -> list[Pixels]:
    """Photographs at 512 pixels, as colour."""
    return [np.asarray(photograph(name).resize((512, 512))) for name in EVERYDAY]


def table(report: dict[str, Any]) -> str:
    """Markdown."""
    about = (
        f"Model {report['model']}, {report['pairs']} held-out drawings of 128 px, "
        f"{report['photographs']} photographs of 512 px through its own autoencoder."
    )
    apart = (
        "Left half of the picture unchanged, right half replaced. Detail: share of the source's "
        "high-frequency energy (luma without its 5 × 5 mean) in the unchanged half. Correlation: "
        "of the result with the residual in the replaced half, mean of absolute values."
    )
    header = (
        "| strength | drawings: detail without → with | correlation without → with "
        "| photographs: detail without → with | correlation without → with |"
    )
    lines = [about, "", apart, "", header, "|---|---|---|---|---|"]
    for a, b in zip(report["drawings_apart"], report["photographs_apart"], strict=True):
        cells = [
            f"{row['detail_without']:.0%} → {row['detail_with']:.0%} | "
            f"{row['correlation_without']:.3f} → {row['correlation_with']:.3f}"
            for row in (a, b)
        ]
        lines.append(f"| {a['strength']:g} | {' | '.join(cells)} |")
    lines += ["", "Whole edits: mean difference to the source, grey levels of 255.", ""]
    lines.append("| strength | " + " | ".join(f"{r['strength']:g}" for r in report["edits"]) + " |")
    lines.append("|---" * (len(report["edits"]) + 1) + "|")
    cells = " | ".join(f"{row['distance']:.2f}" for row in report["edits"])
    lines.append(f"| distance | {cells} |")
    lines += [
        "",
        f"Mean CIE76 distance to the first source after 1, 5, 10 and {LOOPS} rounds:",
        "",
        "| | 1 | 5 | 10 | 20 |",
        "|---|---|---|---|---|",
    ]
    for name, values in report["loops"].items():
        cells = " | ".join(f"{values[i]:.2f}" for i in (0, 4, 9, 19))
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--model", default="pocket")
    options = parser.parse_args()
    pairs = load_pairs(PAIRS, options.pairs)
    drawings, silent = [pair["source"] for pair in pairs], [""] * len(pairs)
    scenes = photographs()
    engine = Engine()
    family = engine.family(profile_of(options.model))
    report = {
        "model": options.model,
        "pairs": len(pairs),
        "photographs": len(scenes),
        "drawings_apart": kept_apart(family, drawings),
        "photographs_apart": kept_apart(family, scenes),
        "edits": edits(engine, pairs, options.model),
        "loops": {
            "autoencoder alone, no residual": passes(family, drawings, residual=False),
            "autoencoder alone, residual": passes(family, drawings, residual=True),
            "edits at 0.2, prompt names the source": loops(
                engine, drawings, [pair["caption"] for pair in pairs], options.model, 0.2
            ),
            "edits at 0.2, no prompt": loops(engine, drawings, silent, options.model, 0.2),
            "edits at 0.05, no prompt": loops(engine, drawings, silent, options.model, 0.05),
        },
    }
    (RESULTS / "residual.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (RESULTS / "residual.md").write_text(table(report), "utf-8")
    print(table(report))


if __name__ == "__main__":
    main()
