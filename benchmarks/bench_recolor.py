"""Palette apart from structure: `--recolor` and `--keep-colors` on the example photograph.

`make bench-recolor`.

    structure, colour  what is kept of the source (partway.fidelity)
    chroma             mean length of the two colour channels, 0 … about 1.4

Writes docs/results/recolor.json, the tables of docs/recoloring.md and docs/images/recoloring.jpg.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from partway import edit, images
from partway.color import to_opponent
from partway.examples import PHOTOGRAPH
from partway.result import EditResult
from partway.styles import style_file

ROOT = Path(__file__).resolve().parent.parent
STYLES = ("evening", "watercolour", "oil", "mosaic")
STRENGTHS = {"recolor": (0.1, 0.25), "keep_colors": (0.5, 0.75)}
SHOWN = (("recolor", 0.1), ("recolor", 0.25), ("keep_colors", 0.5))
SIZE = (300, 200)


def chroma(image: Image.Image) -> float:
    """Mean length of the colour channels."""
    rgb = np.asarray(image.convert("RGB"), np.float32).transpose(2, 0, 1) / 127.5 - 1.0
    return float(np.sqrt(np.square(to_opponent(rgb)[1:]).sum(axis=0)).mean())


def restyled(source: Image.Image, style: str, strength: float, **option: bool) -> EditResult:
    """The photograph in the manner of a style."""
    reference = images.read_bytes(style_file(style))
    return edit(source, "", strength=strength, references=(reference,), **option)


def measured(result: EditResult) -> dict[str, float]:
    """What is kept of the source, and the chroma."""
    if result.kept is None:
        raise AssertionError("an edit of a source keeps something of it")
    values = (result.kept.structure, result.kept.color, chroma(result.image))
    return dict(zip(("structure", "colour", "chroma"), (round(v, 3) for v in values), strict=True))


def table(rows: list[dict[str, Any]], option: str) -> str:
    """The rows of an option as Markdown."""
    lines = ["| style | strength | structure | colour | chroma |", "|---|---|---|---|---|"]
    for row in rows:
        dial, other = row["dial"], row[option]
        lines.append(
            f"| {row['style']} | {row['strength']} "
            f"| {dial['structure']:.0%} → {other['structure']:.0%} "
            f"| {dial['colour']:.0%} → {other['colour']:.0%} "
            f"| {dial['chroma']:.2f} → {other['chroma']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, and write page, picture and figures."""
    source = Image.open(PHOTOGRAPH).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    report: dict[str, list[dict[str, Any]]] = {option: [] for option in STRENGTHS}
    page = Image.new("RGB", (SIZE[0] * (2 + 2 * len(SHOWN)), SIZE[1] * len(STYLES)))
    for line, style in enumerate(STYLES):
        cells = [Image.open(style_file(style)).convert("RGB").resize(SIZE), source]
        for option, strengths in STRENGTHS.items():
            for strength in strengths:
                pair = [restyled(source, style, strength, **{option: on}) for on in (False, True)]
                names = zip(("dial", option), map(measured, pair), strict=True)
                report[option].append({"style": style, "strength": strength, **dict(names)})
                cells += [each.image for each in pair if (option, strength) in SHOWN]
        for column, cell in enumerate(cells):
            page.paste(cell, (column * SIZE[0], line * SIZE[1]))
    (ROOT / "docs/results/recolor.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    file = ROOT / "docs/recoloring.md"
    text = file.read_text("utf-8")
    for option, rows in report.items():
        between = f"<!-- {option} -->\n{table(rows, option)}\n<!-- /{option} -->"
        marks = rf"<!-- {option} -->\n.*?\n<!-- /{option} -->"
        text = re.sub(marks, lambda _, new=between: new, text, flags=re.DOTALL)
    file.write_text(text, "utf-8")
    page.resize((page.width * 2 // 3, page.height * 2 // 3), Image.Resampling.LANCZOS).save(
        ROOT / "docs/images/recoloring.jpg", quality=85
    )


if __name__ == "__main__":
    main()
