"""The pictures of README and docs/masks.md, made anew from the examples. `make docs-pictures`.

masks.png is a map over a fox and a mask over a cat, each beside what it does; teapot-strip.png and
cat-strip.png are contact sheets of `partway demo`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageOps

from partway import edit
from partway.examples import HERE
from partway.styles import style_file

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
CELL, GAP = 240, 8
STRIPS = ("teapot-strip.png", "cat-strip.png")


def cell(image: Image.Image) -> Image.Image:
    """The middle square of a picture, outlined, at the size of a cell."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.convert("RGB").crop((left, top, left + side, top + side))
    inside = square.resize((CELL - 2, CELL - 2), Image.Resampling.LANCZOS)
    return ImageOps.expand(inside, 1, "lightgrey")  # white on a white page has an edge too


def rising(size: tuple[int, int]) -> Image.Image:
    """A map from black on the left to white on the right."""
    return Image.linear_gradient("L").rotate(90).resize(size)


def left_half(size: tuple[int, int]) -> Image.Image:
    """A mask: white to the left of the middle."""
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    return mask


def masks() -> Image.Image:
    """Source, map, result; source, mask, result."""
    fox = Image.open(HERE / "fox.png").convert("RGB")
    cat = Image.open(HERE / "cat.jpg").convert("RGB")
    cat.thumbnail((256, 256), Image.Resampling.LANCZOS)
    shades, half = rising(fox.size), left_half(cat.size)
    drawn = edit(fox, "fox, flat", strength=0.8, strength_map=shades, seed=1)
    watercolour = (style_file("watercolour").read_bytes(),)
    painted = edit(cat, references=watercolour, strength=0.6, mask=half, mask_feather=24.0, seed=1)
    cells = [fox, shades, drawn.image, cat, half, painted.image]
    row = Image.new("RGB", (len(cells) * (CELL + GAP) - GAP, CELL), "white")
    for number, each in enumerate(cells):
        row.paste(cell(each), (number * (CELL + GAP), 0))
    return row


def strips() -> None:
    """The contact sheets of the demo that README shows."""
    with TemporaryDirectory() as folder:
        run = [sys.executable, "-m", "partway", "demo", "--quiet", "-o", folder]
        subprocess.run(run, check=True)
        for name in STRIPS:
            shutil.copy(Path(folder) / name, IMAGES / name)


def main() -> None:
    """Make them all."""
    masks().save(IMAGES / "masks.png", optimize=True)
    strips()


if __name__ == "__main__":
    main()
