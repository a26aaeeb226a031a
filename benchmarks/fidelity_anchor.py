"""Measure what unrelated pictures score, and how the score falls under known changes.

    python benchmarks/fidelity_anchor.py            print, compare with the module's constants
    python benchmarks/fidelity_anchor.py --write    also docs/results/fidelity.json and the tables
                                                    of docs/fidelity.md

The constants in partway/fidelity.py are the means of the row "pooled".
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from partway import fidelity
from pictures import (
    EVERYDAY,
    REPOSITORY,
    SCIENTIFIC,
    drawings,
    grid,
    on,
    photograph,
    style_pairs,
    subject,
)

Pixels: TypeAlias = NDArray[np.uint8]
PAIRS_PER_KIND = 2000
PAGE = REPOSITORY / "docs/fidelity.md"
RESULTS = REPOSITORY / "docs/results/fidelity.json"


def losses(a: Pixels, b: Pixels) -> tuple[float, float, float]:
    """Raw losses: octaves, gradients, colour."""
    here, there = fidelity.canonical(a), fidelity.canonical(b)
    octaves, gradients = fidelity.structure_losses(fidelity.luma(here), fidelity.luma(there))
    return octaves, gradients, fidelity.color_loss(fidelity.cells(here), fidelity.cells(there))


def load() -> tuple[list[tuple[str, Pixels]], list[tuple[str, Pixels]]]:
    """Drawings on white and square 256 px photographs (whole and quarters), named by subject."""
    drawn = [(subject(name), np.asarray(on(picture))) for name, picture in drawings().items()]
    photos: list[tuple[str, Pixels]] = []
    for name in EVERYDAY + SCIENTIFIC:
        whole = photograph(name)
        side = min(whole.size)
        left, top = (whole.width - side) // 2, (whole.height - side) // 2
        square = whole.crop((left, top, left + side, top + side))
        photos.extend(
            (name, np.asarray(part.resize((256, 256), Image.Resampling.BICUBIC)))
            for part in (square, *grid(square, 2))
        )
    return drawn, photos


def unrelated(
    first: list[tuple[str, Pixels]], second: list[tuple[str, Pixels]], rng: np.random.RandomState
) -> NDArray[np.float64]:
    """Losses of random pairs of different subjects, (n, 3)."""
    rows: list[tuple[float, float, float]] = []
    while len(rows) < PAIRS_PER_KIND:
        name_a, a = first[rng.randint(len(first))]
        name_b, b = second[rng.randint(len(second))]
        if name_a == name_b:
            continue
        if a.shape != b.shape:
            a = np.asarray(Image.fromarray(a).resize(b.shape[1::-1], Image.Resampling.BICUBIC))
        rows.append(losses(a, b))
    return np.array(rows)


def anchors() -> dict[str, NDArray[np.float64]]:
    """Losses by kind of pair; pooled = drawings and photographs in equal parts."""
    drawn, photos = load()
    rng = np.random.RandomState(1)
    kinds = {
        "two drawings": unrelated(drawn, drawn, rng),
        "two photographs": unrelated(photos, photos, rng),
    }
    kinds["pooled"] = np.vstack([kinds["two drawings"], kinds["two photographs"]])
    kinds["drawing and photograph"] = unrelated(drawn, photos, rng)
    return kinds


def clipped(values: NDArray[np.float64]) -> Pixels:
    """Round to 8 bits."""
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    """Gaussian blur, sigma in pixels."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def compressed(pixels: Pixels) -> Pixels:
    """Save as JPEG and read back."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=75)
    return np.asarray(Image.open(stream).convert("RGB"))


def noisy(pixels: Pixels, sigma: float) -> Pixels:
    """Add Gaussian noise, sigma in 8-bit values."""
    return clipped(pixels + np.random.RandomState(1).normal(0, sigma, pixels.shape))


def occluded(pixels: Pixels, share: float) -> Pixels:
    """Cover a share of the area by a grey square in the middle."""
    side = round(share**0.5 * pixels.shape[0])
    start = (pixels.shape[0] - side) // 2
    out = pixels.copy()
    out[start : start + side, start : start + side] = 128
    return out


def hue_turned(pixels: Pixels) -> Pixels:
    """Turn the hue by 120 degrees: R to G to B to R."""
    return pixels[..., [2, 0, 1]]


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "identical": lambda p: p,
    "JPEG quality 75": compressed,
    "blur, sigma 0.5 % of the side": lambda p: blurred(p, 0.005 * p.shape[0]),
    "blur, 2 %": lambda p: blurred(p, 0.02 * p.shape[0]),
    "blur, 5 %": lambda p: blurred(p, 0.05 * p.shape[0]),
    "noise, sigma 10 of 255": lambda p: noisy(p, 10),
    "noise, 40": lambda p: noisy(p, 40),
    "noise, 120": lambda p: noisy(p, 120),
    "shift by 0.5 % of the side": lambda p: np.roll(p, round(0.005 * p.shape[0]), axis=1),
    "shift by 2 %": lambda p: np.roll(p, round(0.02 * p.shape[0]), axis=1),
    "shift by 5 %": lambda p: np.roll(p, round(0.05 * p.shape[0]), axis=1),
    "grey square over 10 % of the area": lambda p: occluded(p, 0.1),
    "grey square over 40 %": lambda p: occluded(p, 0.4),
    "recoloured: hue turned by 120 degrees": hue_turned,
    "recoloured: negative": lambda p: 255 - p,
    "mirrored": lambda p: p[:, ::-1],
}


def mean_kept(pairs: list[tuple[Pixels, Pixels]]) -> tuple[float, float]:
    """Mean (structure, colour) kept over pairs."""
    scores = [fidelity.kept(a, b) for a, b in pairs]
    return (
        float(np.mean([score.structure for score in scores])),
        float(np.mean([score.color for score in scores])),
    )


def changes() -> list[tuple[str, tuple[float, float], tuple[float, float] | None]]:
    """Mean (structure, colour) of each change on drawings and on photographs of 512 px."""
    chosen = list(drawings().values())[::13]
    drawn = [
        np.asarray(on(picture).resize((512, 512), Image.Resampling.BICUBIC)) for picture in chosen
    ]
    photos = [np.asarray(photograph(name).resize((512, 512))) for name in EVERYDAY]
    rows: list[tuple[str, tuple[float, float], tuple[float, float] | None]] = []
    for name, change in CHANGES.items():
        on_drawings = mean_kept([(p, change(p)) for p in drawn])
        rows.append((name, on_drawings, mean_kept([(p, change(p)) for p in photos])))
    all_drawn = {name: np.asarray(on(picture)) for name, picture in drawings().items()}
    styles = mean_kept([(all_drawn[a], all_drawn[b]) for a, b in style_pairs()])
    rows.append(("same subject in another style", styles, None))
    return rows


def replace(page: str, name: str, table: str) -> str:
    """Put a table between the markers of its name."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    head, rest = page.split(start)
    return head + start + table + end + rest.split(end)[1]


def main() -> None:
    """Measure, print, and write where asked."""
    measured = anchors()
    pooled = measured["pooled"].mean(axis=0)
    constants = np.array(
        [fidelity.UNRELATED_OCTAVES, fidelity.UNRELATED_GRADIENTS, fidelity.UNRELATED_COLOR]
    )
    anchor_rows = [
        "| unrelated pairs | octave loss | gradient loss | colour loss | structure | colour |\n",
        "|---|---|---|---|---|---|\n",
    ]
    for kind, rows in measured.items():
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(rows.mean(0), rows.std(0), strict=True)]
        share = 1 - rows / constants
        structure = share[:, :2].mean(axis=1)
        cells += [f"{v.mean():+.3f} ± {v.std():.3f}" for v in (structure, share[:, 2])]
        anchor_rows.append(f"| {kind} ({len(rows)}) | {' | '.join(cells)} |\n")
    print("".join(anchor_rows))
    print("constants: module", constants, "measured", pooled.round(4))
    change_rows = [
        "| change | drawings: structure | colour | photographs: structure | colour |\n",
        "|---|---|---|---|---|\n",
    ]
    table = changes()
    for name, drawn, photos in table:
        numbers = [f"{v:.2f}" for v in drawn] + (
            [f"{v:.2f}" for v in photos] if photos else ["–"] * 2
        )
        change_rows.append(f"| {name} | {' | '.join(numbers)} |\n")
    print("".join(change_rows))
    if "--write" in sys.argv[1:]:
        page = PAGE.read_text(encoding="utf-8")
        page = replace(page, "anchors", "".join(anchor_rows))
        PAGE.write_text(replace(page, "changes", "".join(change_rows)), encoding="utf-8")
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        report = {
            "pairs_per_kind": PAIRS_PER_KIND,
            "unrelated_losses": {
                kind: {
                    "mean": [round(float(v), 4) for v in rows.mean(axis=0)],
                    "std": [round(float(v), 4) for v in rows.std(axis=0)],
                }
                for kind, rows in measured.items()
            },
            "changes": [
                {"change": name, "drawings": drawn, "photographs": photos}
                for name, drawn, photos in table
            ],
        }
        RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
