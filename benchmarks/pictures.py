"""The pictures that the benchmarks measure on: style pairs, and photographs that packages ship.

Nothing is fetched.  The style pairs come from $PARTWAY_PAIRS, the photographs from inside the
installed wheels of scikit-image and scikit-learn.
"""

from __future__ import annotations

import json
import os
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
PAIRS = Path(os.environ.get("PARTWAY_PAIRS", REPOSITORY / "../shared/pocket-v0/pairs"))

EVERYDAY = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "motorcycle_left.png",
    "page.png",
    "rocket.jpg",
    "text.png",
    "china.jpg",
    "flower.jpg",
)
SCIENTIFIC = (
    "cell.png",
    "clock_motion.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "microaneurysms.png",
    "moon.png",
    "retina.jpg",
)


def photograph(name: str) -> Image.Image:
    """Open a photograph that scikit-image or scikit-learn carries in its wheel."""
    for package, folder in (("skimage", "data"), ("sklearn.datasets", "images")):
        entry = files(package).joinpath(folder, name)
        if entry.is_file():
            with entry.open("rb") as stream:
                return Image.open(stream).convert("RGB")
    raise FileNotFoundError(name)


def drawings() -> dict[str, Image.Image]:
    """All drawings of the style pairs, RGBA, by file name (subject.style.png)."""
    found: dict[str, Image.Image] = {}
    for path in sorted(PAIRS.glob("*.png")):
        with Image.open(path) as picture:
            found[path.name] = picture.convert("RGBA")
    if not found:
        raise FileNotFoundError(f"no PNG in {PAIRS}; set PARTWAY_PAIRS")
    return found


def style_pairs() -> list[tuple[str, str]]:
    """File names (source, target) of one subject drawn in two styles.

    Read from pairs.json beside the folder where there is one; else each subject's files in turn.
    """
    listing = PAIRS.parent / "pairs.json"
    if listing.is_file():
        entries = json.loads(listing.read_text(encoding="utf-8"))["pairs"]
        return [(entry["source"]["file"], entry["target"]["file"]) for entry in entries]
    names = sorted(path.name for path in PAIRS.glob("*.png"))
    return [(a, b) for a, b in pairwise(names) if subject(a) == subject(b)]


def subject(name: str) -> str:
    """The subject in a drawing's file name."""
    return name.split(".", maxsplit=1)[0]


def on(picture: Image.Image, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Compose an RGBA drawing on a plain background."""
    canvas = Image.new("RGBA", picture.size, (*background, 255))
    canvas.alpha_composite(picture)
    return canvas.convert("RGB")


def grid(picture: Image.Image, n: int) -> list[Image.Image]:
    """Cut a picture into n x n parts."""
    width, height = picture.size
    return [
        picture.crop((i * width // n, j * height // n, (i + 1) * width // n, (j + 1) * height // n))
        for j in range(n)
        for i in range(n)
    ]
