"""Palette apart from structure: `--recolor` on the example photograph. `make bench-recolor`.

    structure, colour  what is kept of the source (partway.fidelity)
    chroma             mean length of the two colour channels, 0 … about 1.4

Writes docs/results/recolor.json, the table of docs/recoloring.md and docs/images/recoloring.jpg.
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
STRENGTHS = (0.1, 0.25)
SIZE = (300, 200)
SHOWN = STRENGTHS


def chroma(image: Image.Image) -> float:
    """Mean length of the colour channels."""
    rgb = np.asarray(image.convert("RGB"), np.float32).transpose(2, 0, 1) / 127.5 - 1.0
    return float(np.sqrt(np.square(to_opponent(rgb)[1:]).sum(axis=0)).mean())


def restyled(source: Image.Image, style: str, strength: float, *, recolor: bool) -> EditResult:
    """The photograph in the manner of a style."""
    reference = images.read_bytes(style_file(style))
    return edit(source, "", strength=strength, references=(reference,), recolor=recolor)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| style | strength | structure | colour | chroma |", "|---|---|---|---|---|"]
    for row in rows:
        dial, recolored = row["dial"], row["recolor"]
        lines.append(
            f"| {row['style']} | {row['strength']} "
            f"| {dial['structure']:.0%} → {recolored['structure']:.0%} "
            f"| {dial['colour']:.0%} → {recolored['colour']:.0%} "
            f"| {dial['chroma']:.2f} → {recolored['chroma']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, and write page, picture and figures."""
    source = Image.open(PHOTOGRAPH).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    rows: list[dict[str, Any]] = []
    page = Image.new("RGB", (SIZE[0] * (2 + 2 * len(SHOWN)), SIZE[1] * len(STYLES)))
    for line, style in enumerate(STYLES):
        cells = [Image.open(style_file(style)).convert("RGB").resize(SIZE), source]
        for strength in STRENGTHS:
            row: dict[str, Any] = {"style": style, "strength": strength}
            for name in ("dial", "recolor"):
                result = restyled(source, style, strength, recolor=name == "recolor")
                if result.kept is None:
                    raise AssertionError("an edit of a source keeps something of it")
                row[name] = {
                    "structure": round(result.kept.structure, 3),
                    "colour": round(result.kept.color, 3),
                    "chroma": round(chroma(result.image), 3),
                }
                cells += [result.image] if strength in SHOWN else []
            rows.append(row)
        for column, cell in enumerate(cells):
            page.paste(cell, (column * SIZE[0], line * SIZE[1]))
    (ROOT / "docs/results/recolor.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    file = ROOT / "docs/recoloring.md"
    text = re.sub(
        r"<!-- table -->\n.*?\n<!-- /table -->",
        lambda _: f"<!-- table -->\n{table(rows)}\n<!-- /table -->",
        file.read_text("utf-8"),
        flags=re.DOTALL,
    )
    file.write_text(text, "utf-8")
    page.resize((page.width * 2 // 3, page.height * 2 // 3), Image.Resampling.LANCZOS).save(
        ROOT / "docs/images/recoloring.jpg", quality=85
    )


if __name__ == "__main__":
    main()
