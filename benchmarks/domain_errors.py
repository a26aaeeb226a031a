"""Measure how often partway.domain mistakes artwork for a photograph and the other way round.

    python benchmarks/domain_errors.py            print
    python benchmarks/domain_errors.py --write    also docs/results/domain.json and the table of
                                                  docs/choosing-a-model.md

The threshold comes from the "chosen on" half: subjects and scenes are split, so that two styles
of one subject or two crops of one photograph are never on both sides.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from partway import edit
from partway.domain import THRESHOLD, domain_of
from pictures import (
    EVERYDAY,
    REPOSITORY,
    SCIENTIFIC,
    drawings,
    grid,
    on,
    photograph,
    subject,
)

Scores: TypeAlias = NDArray[np.float64]
Group: TypeAlias = dict[str, Scores]
Mistake: TypeAlias = Callable[[Scores], NDArray[np.bool_]]

PAGE = REPOSITORY / "docs/choosing-a-model.md"
RESULTS = REPOSITORY / "docs/results/domain.json"
# Reported, but not used to choose the threshold: outside what the detector can see, see the doc.
APART = ("close-up, no background left", "cut out on pure white", "the model's own results")


def compressed(picture: Image.Image, quality: int = 75) -> Image.Image:
    """Save as JPEG and read back."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def enlarged(picture: Image.Image, side: int) -> Image.Image:
    """Enlarge to a square."""
    return picture.resize((side, side), Image.Resampling.BICUBIC)


def line_drawing(picture: Image.Image) -> Image.Image:
    """Dark lines on white where the drawing has edges."""
    edges = on(picture).convert("L").filter(ImageFilter.FIND_EDGES)
    lines = ImageOps.invert(edges.point([min(255, 3 * value) for value in range(256)]))
    inner = lines.crop((2, 2, lines.width - 2, lines.height - 2))
    return ImageOps.expand(inner, 2, 255).convert("RGB")


def artwork(pictures: list[Image.Image]) -> dict[str, list[Image.Image]]:
    """Variants of drawings, by name."""
    rng = np.random.RandomState(1)
    white = [on(picture) for picture in pictures]
    plain: list[Image.Image] = []
    for picture in pictures:
        red, green, blue = (int(value) for value in rng.randint(0, 256, 3))
        plain.append(on(picture, (red, green, blue)))
    lines = [line_drawing(picture) for picture in pictures]
    return {
        "128 px on white": white,
        "128 px, JPEG 75": [compressed(picture) for picture in white],
        "on a random plain colour": plain,
        "on a random plain colour, JPEG 75": [compressed(picture) for picture in plain],
        "enlarged to 512 px": [enlarged(picture, 512) for picture in white],
        "enlarged to 512 px, JPEG 75": [compressed(enlarged(picture, 512)) for picture in white],
        "enlarged to 1024 px": [enlarged(picture, 1024) for picture in white],
        "line drawing": lines,
        "line drawing, JPEG 75": [compressed(picture) for picture in lines],
        "close-up, no background left": [picture.crop((32, 32, 96, 96)) for picture in white],
    }


def ellipse(side: int) -> NDArray[np.float64]:
    """Soft mask of an ellipse, (side, side, 1)."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    return np.clip((1 - np.hypot(x / 0.35, y / 0.31)) * 20 + 0.5, 0, 1)[..., None]


def studio(picture: Image.Image, rng: np.random.RandomState) -> Image.Image:
    """A simulated studio shot: part of a photograph before a pale, slightly grainy backdrop."""
    side = 256
    pixels = np.asarray(ImageOps.fit(picture, (side, side)), np.float64)
    slope = np.linspace(0, rng.uniform(-20, 20), side)[:, None, None]
    backdrop = rng.uniform(150, 250) + slope + rng.normal(0, 1.2, (side, side, 3))
    mask = ellipse(side)
    mixed = np.clip(np.round(pixels * mask + backdrop * (1 - mask)), 0, 255)
    return Image.fromarray(mixed.astype(np.uint8))


def cut_out(picture: Image.Image) -> Image.Image:
    """Part of a photograph on pure white."""
    side = 256
    pixels = np.asarray(ImageOps.fit(picture, (side, side)), np.float64)
    mask = ellipse(side)
    return Image.fromarray(np.round(pixels * mask + 255 * (1 - mask)).astype(np.uint8))


def photographs(names: tuple[str, ...]) -> dict[str, list[Image.Image]]:
    """Variants of photographs, by name."""
    rng = np.random.RandomState(1)
    whole = [photograph(name) for name in names]
    quarters = [part for picture in whole for part in grid(picture, 2)]
    sixteenths = [part for picture in whole for part in grid(picture, 4)]
    both = whole + quarters
    return {
        "whole": whole,
        "quarters": quarters,
        "sixteenths": sixteenths,
        "whole and quarters at 256 px": [ImageOps.contain(p, (256, 256)) for p in both],
        "whole and quarters at 128 px": [ImageOps.contain(p, (128, 128)) for p in both],
        "whole and quarters, JPEG 75": [compressed(p) for p in both],
        "whole and quarters, JPEG 50": [compressed(p, 50) for p in both],
        "simulated studio shot": [studio(p, rng) for p in quarters],
        "cut out on pure white": [cut_out(p) for p in quarters],
    }


def scores(pictures: list[Image.Image]) -> Scores:
    """Score of each picture."""
    return np.array([domain_of(np.asarray(picture)).score for picture in pictures])


def errors(group: Group, mistaken: Mistake) -> float:
    """Mean error over a group's variants, the ones set apart left out."""
    shares = [np.mean(mistaken(values)) for name, values in group.items() if name not in APART]
    return float(np.mean(shares))


def best_threshold(art: Group, photos: Group) -> float:
    """Middle of the thresholds with the least sum of both mean errors, in steps of 0.005."""
    steps = np.arange(0.1, 0.7, 0.005)
    sums = np.array(
        [errors(art, lambda s, t=t: s < t) + errors(photos, lambda s, t=t: s >= t) for t in steps]
    )
    best = steps[np.isclose(sums, sums.min())]
    return float((best[0] + best[-1]) / 2)


def own_results(drawn: dict[str, Image.Image]) -> Group:
    """Scores of the embedded model's own edits: what a second edit of a result would meet."""
    made: list[Image.Image] = []
    for i, (name, picture) in enumerate(list(drawn.items())[5::16]):
        prompt = f"{subject(name).replace('-', ' ')}, 3d"
        strength = (0.2, 0.35, 0.5, 0.65, 0.8)[i % 5]
        made.append(edit(on(picture), prompt, strength=strength, model="pocket").image)
    return {"the model's own results": scores([picture.convert("RGB") for picture in made])}


def is_photograph(values: Scores) -> NDArray[np.bool_]:
    """Verdict by the module's threshold."""
    return values < THRESHOLD


def is_artwork(values: Scores) -> NDArray[np.bool_]:
    """Verdict by the module's threshold."""
    return values >= THRESHOLD


def rows_of(
    kind: str, mistaken: Mistake, chosen_on: Group | None, reported_on: Group
) -> list[dict[str, object]]:
    """Count the mistakes of each variant: [wrong, pictures] on either half."""

    def count(group: Group | None, variant: str) -> list[int] | None:
        return None if group is None else [int(mistaken(group[variant]).sum()), len(group[variant])]

    return [
        {
            "kind": kind,
            "variant": variant,
            "chosen_on": count(chosen_on, variant),
            "reported_on": count(reported_on, variant),
            "set_apart": variant in APART,
        }
        for variant in reported_on
    ]


def table(rows: list[dict[str, object]]) -> str:
    """Write the rows as Markdown."""
    lines = ["| picture | half it was chosen on | other half |", "|---|---|---|"]
    for row in rows:
        cells = [
            f"{100 * counts[0] / counts[1]:.1f} % ({counts[0]} of {counts[1]})" if counts else "–"
            for counts in (row["chosen_on"], row["reported_on"])
            if isinstance(counts, list) or counts is None
        ]
        mark = " \\*" if row["set_apart"] else ""
        lines.append(f"| {row['kind']}: {row['variant']}{mark} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write where asked."""
    drawn = drawings()
    subjects = sorted({subject(name) for name in drawn})
    art: list[Group] = []
    for half in (set(subjects[::2]), set(subjects[1::2])):
        chosen = [picture for name, picture in drawn.items() if subject(name) in half]
        art.append({name: scores(pictures) for name, pictures in artwork(chosen).items()})
    everyday, everyday_2, scientific = (
        {variant: scores(pictures) for variant, pictures in photographs(names).items()}
        for names in (EVERYDAY[::2], EVERYDAY[1::2], SCIENTIFIC)
    )
    threshold = best_threshold(art[0], everyday)
    print(f"threshold: module {THRESHOLD}, least errors on the first half at {threshold:.3f}")
    rows = [
        *rows_of("artwork", is_photograph, art[0], art[1]),
        *rows_of("artwork", is_photograph, None, own_results(drawn)),
        *rows_of("everyday photograph", is_artwork, everyday, everyday_2),
        *rows_of("scientific photograph", is_artwork, None, scientific),
    ]
    means = {
        "artwork": round(errors(art[1], is_photograph), 4),
        "everyday photographs": round(errors(everyday_2, is_artwork), 4),
        "scientific photographs": round(errors(scientific, is_artwork), 4),
    }
    print(table(rows), means)
    if "--write" in sys.argv[1:]:
        start, end = "<!-- errors -->\n", "<!-- /errors -->"
        head, rest = PAGE.read_text(encoding="utf-8").split(start)
        page = head + start + table(rows) + end + rest.split(end)[1]
        PAGE.write_text(page, encoding="utf-8")
        report = {
            "threshold": THRESHOLD,
            "least_errors_on_first_half_at": round(threshold, 4),
            "mean_errors_on_second_half": means,
            "rows": rows,
        }
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
