"""What an upscale adds, keeps and takes, on pocket. `make bench-upscale`.

    gradient   mean squared difference of neighbouring pixels, over that of the plain enlargement:
               below 1 is softer than Lanczos
    apart      mean difference to the plain enlargement, grey levels of 255; and the same where
               both are scaled down to the source's size again
    seam       the largest step, from one row or column to the next, of the mean difference to the
               plain enlargement, on skies: what tiles add
    tiles      mean and largest difference between results of 256- and 512-pixel tiles
    memory     peak of a process by the size of its result, over that of one that made a result of
               128 × 128; two steps, unguided: more of them take no more. And the same at strength
               0, where Pillow enlarges and no model runs: what source and result take themselves

Writes docs/results/upscale.json and .md and docs/images/upscaling.png.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench_outpaint import sky
from partway import edit
from partway.examples import HERE

ROOT = Path(__file__).resolve().parent.parent
PROMPTS = {
    "fox.png": "fox, 3d",
    "teapot.png": "teapot, 3d",
    "angry-face.png": "angry face, 3d",
    "cat.jpg": "cat, 3d",
}
STRENGTHS = (0.1, 0.25, 0.4, 0.6)
TILED = ("fox.png", "cat.jpg")
MEGAPIXELS = (1, 2, 4, 8)
SHOWN = (("fox.png", (40, 16, 104, 80)), ("teapot.png", (150, 90, 214, 154)))
CELL = 256
ABOUT = (
    "Examples, twice as large, on pocket; `make bench-upscale`. *Gradient energy* is over that of "
    "the plain enlargement: below 1 would be softer. *Apart* is the mean difference to it in grey "
    "levels of 255, and the same after both are scaled down to the source's size again."
)
ON_MEMORY = (
    "Peak memory of a process over that of one that makes 128 × 128 pixels, the written file "
    "included; and the same at strength 0, where Pillow enlarges and no model runs:"
)
MEASURED = """
import sys
from PIL import Image
from partway import edit
side = int(sys.argv[1])
picture = Image.linear_gradient("L").convert("RGB").resize((side // 2, side // 2))
fields = dict(strength=float(sys.argv[3]), scale=2, steps=2, guidance_scale=1)
edit(picture, "fox", model="pocket", **fields).save(sys.argv[2], overwrite=True)
status = open("/proc/self/status").read()  # ru_maxrss would count the parent's memory too
print(status.split("VmHWM:")[1].split()[0])
"""


def values(image: Image.Image) -> NDArray[np.float32]:
    """(H, W, 3)."""
    return np.asarray(image.convert("RGB"), np.float32)


def gradient(image: Image.Image) -> float:
    """Mean squared difference of neighbours, of luma."""
    luma = values(image) @ np.array([0.299, 0.587, 0.114], np.float32)
    return float(sum(np.square(np.diff(luma, axis=axis)).mean() for axis in (0, 1)))


def made(name: str, strength: float, **more: Any) -> Image.Image:
    """An example, twice as large."""
    return edit(
        HERE / name, PROMPTS[name], strength=strength, scale=2, model="pocket", **more
    ).image


def measured(name: str, strength: float) -> dict[str, Any]:
    """One row of the table."""
    plain, result = made(name, 0.0), made(name, strength)
    size = (plain.width // 2, plain.height // 2)
    down = [values(each.resize(size, Image.Resampling.LANCZOS)) for each in (plain, result)]
    return {
        "picture": name,
        "strength": strength,
        "gradient": round(gradient(result) / gradient(plain), 3),
        "apart": round(float(np.abs(values(result) - values(plain)).mean()), 2),
        "scaled_down": round(float(np.abs(down[0] - down[1]).mean()), 2),
    }


def seam(kind: str, strength: float) -> dict[str, Any]:
    """The largest step that tiles add on a sky."""

    def large(at: float) -> NDArray[np.float32]:
        options: dict[str, Any] = {"strength": at, "scale": 2, "model": "pocket"}
        return values(edit(sky(kind, 256), "sky, 3d", **options).image)

    apart = large(strength) - large(0.0)
    steps = [np.abs(np.diff(apart.mean(axis=axis), axis=0)).max() for axis in (0, 1)]
    return {"sky": kind, "strength": strength, "step": round(float(max(steps)), 2)}


def tiles(name: str) -> dict[str, Any]:
    """How far results of other tiles differ."""
    apart = np.abs(values(made(name, 0.25)) - values(made(name, 0.25, working_multiple=2)))
    return {
        "picture": name,
        "mean": round(float(apart.mean()), 2),
        "most": round(float(apart.max())),
    }


def peak(side: int, file: Path, strength: float) -> float:
    """Peak resident memory of a process that makes and writes a result of this side, MiB."""
    run = [sys.executable, "-c", MEASURED, str(side), str(file), str(strength)]
    return int(subprocess.run(run, check=True, capture_output=True, text=True).stdout) / 1024


def memory(file: Path) -> list[dict[str, float]]:
    """Memory over that of the smallest result, by megapixels."""

    def more(strength: float) -> list[int]:
        sides = [128, *(round((mp * 1e6) ** 0.5 / 2) * 2 for mp in MEGAPIXELS)]
        base, *peaks = (peak(side, file, strength) for side in sides)
        return [round(each - base) for each in peaks]

    rows = zip(MEGAPIXELS, more(0.25), more(0.0), strict=True)
    return [{"megapixels": mp, "MiB": edited, "plain": plain} for mp, edited, plain in rows]


def sheet() -> Image.Image:
    """Crops of source, plain enlargement and two strengths, eight times as large."""
    page = Image.new("RGB", (4 * CELL + 3, len(SHOWN) * (CELL + 1) - 1), "white")
    for row, (name, box) in enumerate(SHOWN):
        source = Image.open(HERE / name).convert("RGB")
        twice = [made(name, strength) for strength in (0.0, 0.25, 0.6)]
        left, top, right, bottom = box
        larger = (2 * left, 2 * top, 2 * right, 2 * bottom)
        crops = [source.crop(box), *(each.crop(larger) for each in twice)]
        for column, crop in enumerate(crops):
            cell = crop.convert("RGB").resize((CELL, CELL), Image.Resampling.NEAREST)
            page.paste(cell, (column * (CELL + 1), row * (CELL + 1)))
    return page


def of_memory(report: dict[str, Any]) -> str:
    """The table of docs/upscaling.md."""
    lines = ["| megapixels of the result | MiB more | at strength 0 |", "|---|---|---|"]
    lines += [
        f"| {row['megapixels']} | {row['MiB']} | {row['plain']} |" for row in report["memory"]
    ]
    return "\n".join(lines)


def table(report: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = [
        "# What an upscale adds",
        "",
        ABOUT,
        "",
        "| picture | strength | gradient energy | apart | scaled down |",
        "|---|---|---|---|---|",
        *(
            f"| {row['picture']} | {row['strength']} | {row['gradient']:.3f} | {row['apart']:.2f} "
            f"| {row['scaled_down']:.2f} |"
            for row in report["rows"]
        ),
        "",
        "Tiles of 512 instead of 256 pixels, at 0.25: "
        + ", ".join(
            f"{row['picture']} differs by {row['mean']:.2f}, at most {row['most']}"
            for row in report["tiles"]
        )
        + " grey levels.",
        "",
        "Largest step from one row or column to the next that the plain enlargement has not: "
        + ", ".join(
            f"{row['sky']} sky at {row['strength']} {row['step']:.2f}" for row in report["seams"]
        )
        + " grey levels.",
        "",
        ON_MEMORY,
        "",
        of_memory(report),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the results."""
    results = ROOT / "docs/results"
    scratch = results / "upscale.tmp.png"
    try:
        rows = [measured(name, strength) for name in PROMPTS for strength in STRENGTHS]
        report: dict[str, Any] = {
            "rows": rows,
            "seams": [seam(kind, s) for kind in ("flat", "gradient") for s in STRENGTHS],
            "tiles": [tiles(name) for name in TILED],
            "memory": memory(scratch),
        }
    finally:
        scratch.unlink(missing_ok=True)
    (results / "upscale.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    (results / "upscale.md").write_text(table(report), "utf-8")
    sheet().save(ROOT / "docs/images/upscaling.png", optimize=True)


if __name__ == "__main__":
    main()
