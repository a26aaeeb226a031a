"""Outpainting by figures and by eye: docs/images/outpainting.png, docs/results/outpainting.json.

seam  mean step, in grey levels of 255, from the outermost pixels of the source to those beside
      them, the worst of four sides. The same where the source's own rows meet is no seam
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from partway import edit
from partway.examples import HERE
from partway.geometry import Extent
from partway.margins import Margins

ROOT = Path(__file__).resolve().parent.parent
AROUND = Margins(40, 40, 40, 40)
STRENGTHS = (0.0, 0.5, 0.85, 1.0)
HEIGHT, GAP, GREY = 192, 6, 96  # of a row of the sheet, pixels


def sky(kind: str, side: int = 160) -> Image.Image:
    """A plain picture, or one that gets lighter downwards and redder to the right."""
    levels = np.full((side, side, 3), (70, 130, 200), np.uint8)
    if kind == "gradient":
        levels[..., 0] = np.linspace(40, 200, side).round()[None, :]
        levels[..., 1] = np.linspace(100, 220, side).round()[:, None]
    return Image.fromarray(levels)


def seam(result: Image.Image, source: Image.Image, margins: Margins) -> tuple[float, float]:
    """The worst side's mean step across the source's edge, and the mean step just inside it."""
    pixels = np.asarray(result.convert("RGB")).astype(int)
    left, top, right, bottom = margins.box(Extent(*source.size))
    columns = pixels[top:bottom].transpose(1, 0, 2)
    rows = pixels[:, left:right]

    def step(lines: Any, place: int) -> float:
        return float(np.abs(lines[place] - lines[place - 1]).mean())

    across = [step(columns, left), step(columns, right), step(rows, top), step(rows, bottom)]
    inside = [step(columns, left + 1), step(columns, right - 1)]
    inside += [step(rows, top + 1), step(rows, bottom - 1)]
    return max(across), max(inside)


def measured() -> list[dict[str, Any]]:
    """Seams of flat and gradient skies, painted in another colour, on two families."""
    found: list[dict[str, Any]] = []
    for model, prompt in (("analytic", "red, lime"), ("pocket", "fox, 3d")):
        for kind in ("flat", "gradient"):
            source = sky(kind)
            for strength in STRENGTHS:
                options: dict[str, Any] = {"strength": strength, "extend": AROUND, "model": model}
                result = edit(source, prompt, **options).image
                across, inside = seam(result, source, AROUND)
                row = {"model": model, "sky": kind, "strength": strength}
                found.append(row | {"across": round(across, 3), "inside": round(inside, 3)})
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """The table of docs/outpainting.md."""
    lines = ["| model | sky | worst step across the edge | step just inside |", "|---|---|---|---|"]
    for model in ("analytic", "pocket"):
        for kind in ("flat", "gradient"):
            own = [each for each in rows if (each["model"], each["sky"]) == (model, kind)]
            across, inside = (max(each[name] for each in own) for name in ("across", "inside"))
            lines.append(f"| {model} | {kind} | {across:.2f} | {inside:.2f} |")
    return "\n".join(lines)


def pictures() -> list[list[Image.Image]]:
    """A teapot without its lid on pocket, and half a photograph in its own manner."""
    with Image.open(HERE / "teapot.png") as image:
        pot = image.convert("RGB").resize((256, 256), Image.Resampling.LANCZOS)
    pot = pot.crop((0, 90, 256, 256))
    with Image.open(HERE / "cat.jpg") as image:
        cat = image.convert("RGB").crop((0, 0, image.width * 7 // 10, image.height))
    stream = io.BytesIO()
    cat.save(stream, "PNG")
    wide = (0, 0, cat.width // 3, 0)
    rows = [[framed(pot, Margins(top=90))], [framed(cat, Margins(*wide))]]
    for strength in STRENGTHS:
        options: dict[str, Any] = {"strength": strength, "model": "pocket"}
        rows[0].append(edit(pot, "teapot, 3d", extend=(0, 90, 0, 0), **options).image)
    for strength in (0.0, 0.6):
        style = () if strength == 0.0 else (stream.getvalue(),)
        rows[1].append(edit(cat, strength=strength, extend=wide, references=style).image)
    return rows


def framed(source: Image.Image, margins: Margins) -> Image.Image:
    """A source on grey, where it will be in its results."""
    whole = Image.new("RGB", margins.around(Extent(*source.size)), (GREY, GREY, GREY))
    whole.paste(source, margins[:2])
    return whole


def sheet(rows: list[list[Image.Image]]) -> Image.Image:
    """Rows of pictures of one height."""
    lines = [
        [each.resize((round(each.width * HEIGHT / each.height), HEIGHT)) for each in row]
        for row in rows
    ]
    width = max(sum(each.width + GAP for each in line) for line in lines) - GAP
    whole = Image.new("RGB", (width, len(lines) * (HEIGHT + GAP) - GAP), "white")
    for down, line in enumerate(lines):
        across = 0
        for each in line:
            whole.paste(each, (across, down * (HEIGHT + GAP)))
            across += each.width + GAP
    return whole


def main() -> None:
    """Measure, draw, write."""
    rows = measured()
    print(table(rows))
    target = ROOT / "docs/results/outpainting.json"
    target.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    sheet(pictures()).save(ROOT / "docs/images/outpainting.png", optimize=True)


if __name__ == "__main__":
    main()
