"""Restyled photographs, measured and shown: make bench-photos.

Twelve photographs and crops that scikit-image and scikit-learn carry × six styles × strengths,
against a plain transfer of colours and against patch nearest neighbours from coarse to fine (in
the manner of GPNN, Granot et al. 2022). Written to docs/results/photos.json and docs/images/.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from partway import EditRequest, Engine
from partway.color import matched, to_opponent, to_rgb
from partway.denoiser import Array
from partway.edits.pyramid import resized
from partway.fidelity import kept
from partway.images import read_bytes
from partway.noise import Noise
from partway.patches import fold, keys_of, scatter, unfold
from partway.styles import style_file
from pictures import REPOSITORY, photograph

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "china.jpg",
               "flower.jpg", "motorcycle_left.png", "camera.png")  # fmt: skip
CROPS = {  # name: (of, left, top, right, bottom as shares)
    "face": ("astronaut.png", 0.25, 0.0, 0.65, 0.5),
    "pagoda": ("china.jpg", 0.0, 0.2, 0.55, 0.95),
    "spoon": ("coffee.png", 0.3, 0.2, 0.95, 0.95),
    "engine": ("motorcycle_left.png", 0.25, 0.3, 0.75, 0.95),
}
STYLES = ("watercolour", "oil", "mosaic", "pencil", "linen-wood", "evening")
STRENGTHS = (0.2, 0.35, 0.5, 0.65, 0.8)
CELL = 150  # long side on the contact sheets, pixels
JUDGED = 96  # long side at which patches are compared
VERBATIM = 0.06  # root mean square of [-1, 1] below which a patch is the reference's own
RUN = 4  # so many pixels in a row, each continuing the one before, are a copy
Pixels = NDArray[np.uint8]


def at_side(image: Image.Image, side: int) -> Image.Image:
    """The picture with this long side."""
    scale = side / max(image.size)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    return image.resize(size, Image.Resampling.LANCZOS)


def sources(side: int) -> dict[str, Image.Image]:
    """All photographs and crops at a long side."""
    found = {name: photograph(name) for name in PHOTOGRAPHS}
    for name, (whole, left, top, right, bottom) in CROPS.items():
        image = photograph(whole)
        w, h = image.size
        box = (round(left * w), round(top * h), round(right * w), round(bottom * h))
        found[name] = image.crop(box)
    return {name: at_side(image, side) for name, image in found.items()}


def opponent(image: Image.Image) -> Array:
    """(3, H, W) opponent colours."""
    rgb = np.asarray(image.convert("RGB"), np.float32).transpose(2, 0, 1) / 127.5 - 1.0
    return to_opponent(rgb)


def picture(array: Array) -> Image.Image:
    """The inverse of `opponent`."""
    rgb = np.clip((to_rgb(array).transpose(1, 2, 0) + 1.0) * 127.5, 0, 255)
    return Image.fromarray(np.rint(rgb).astype(np.uint8))


def patch_distance(result: Image.Image, reference: Image.Image, side: int = 7) -> float:
    """Sliced Wasserstein distance of luma patches without their mean: texture alone, 0 … about 1.

    64 fixed projections, 64 quantiles each, both pictures at the same long side.
    """
    quantiles: list[Array] = []
    directions = Noise(7, (side * side, 64))()
    directions /= np.linalg.norm(directions, axis=0)
    for each in (result, reference):
        plane = opponent(at_side(each, 2 * JUDGED))[:1].repeat(3, axis=0)
        ys, xs = scatter(plane.shape, side, 3, 0)
        patches = unfold(plane, ys, xs, side)[:, : side * side]
        patches = patches - patches.mean(axis=1, keepdims=True)
        quantiles.append(np.quantile(patches @ directions, np.linspace(0.01, 0.99, 64), axis=0))
    return float(np.abs(quantiles[0] - quantiles[1]).mean())


def copied(result: Image.Image, reference: Image.Image, side: int = 7) -> float:
    """Share of places that lie in runs copied verbatim from the reference.

    A place is copied where its patch is the reference's own within VERBATIM and the patches of its
    row move through the reference in step with it, for RUN places.
    """
    x, y = opponent(at_side(result, JUDGED)), opponent(at_side(reference, JUDGED))
    keys = keys_of([y], side, 10**6, 1)
    count = (y.shape[1] - side + 1) * (y.shape[2] - side + 1)
    order = np.argsort(Noise(0, (count,))(), kind="stable")  # as keys_of draws them
    rows, columns = (length - side + 1 for length in x.shape[1:])
    ys, xs = (each.ravel() for each in np.indices((rows, columns)))
    patches = unfold(x, ys, xs, side)
    texture, plain = keys.split(patches)
    found = keys.nearest(texture, plain, np.ones(plain.shape[1], np.float32), 1.0)
    apart = np.square(patches - keys.join(keys.texture[found], keys.plain[found])).mean(axis=1)
    near = (apart < VERBATIM**2).reshape(rows, columns)
    steps = (np.diff(order[found].reshape(near.shape), axis=1) == 1) & near[:, 1:] & near[:, :-1]
    length = np.zeros(rows, int)
    runs = np.zeros(near.shape, bool)
    for column in range(steps.shape[1]):
        length = np.where(steps[:, column], length + 1, 0)
        for back in range(RUN):
            runs[length >= RUN - 1, max(column + 1 - back, 0)] = True
    return float(runs.mean())


def gpnn(source: Image.Image, reference: Image.Image) -> Image.Image:
    """Nearest 7 × 7 patches, coarse to fine, three rounds a scale; layout from the source at 64 px.

    Without GPNN's bidirectional term; colours are matched first, as its style transfer needs.
    """
    content, manner = opponent(source), opponent(reference)
    side = max(content.shape[1:])
    x = matched(content, manner, 1.0)
    for number, size in enumerate((64, 128, side)):
        scale = size / side
        height, width = (max(round(length * scale), 8) for length in content.shape[1:])
        scale = size / max(manner.shape[1:])
        smaller = [round(length * scale) for length in manner.shape[1:]]
        keys = keys_of([resized(manner, smaller[1], smaller[0])], 7, 4096, 1)
        x = resized(x, width, height)
        for i in range(3):
            ys, xs = scatter(x.shape, 7, 2, 3 * number + i)
            texture, plain = keys.split(unfold(x, ys, xs, 7))
            found = keys.nearest(texture, plain, np.ones(plain.shape[1], np.float32), 1.0)
            x = fold(keys.join(keys.texture[found], keys.plain[found]), ys, xs, 7, x.shape)
    return picture(x)


def measure(
    source: Image.Image, result: Image.Image, reference: Image.Image, seconds: float
) -> dict[str, float]:
    """All figures of one result; texture relative to the source's own distance (1: as far)."""
    score = kept(np.asarray(source.convert("RGB")), np.asarray(result.convert("RGB")))
    return {
        "structure": score.structure,
        "color": score.color,
        "texture": patch_distance(result, reference) / patch_distance(source, reference),
        "copied": copied(result, reference),
        "seconds": seconds,
    }


def sheet(rows: list[list[Image.Image]], labels: list[str]) -> Image.Image:
    """Pictures in rows, small, a label over each column."""
    cells = [[at_side(image.convert("RGB"), CELL) for image in row] for row in rows]
    whole = Image.new(
        "RGB", ((CELL + 4) * len(labels), 24 + sum(row[0].height + 4 for row in cells)), "white"
    )
    draw = ImageDraw.Draw(whole)
    for column, label in enumerate(labels):
        middle = (column * (CELL + 4) + CELL // 2, 12)
        draw.text(middle, label, "black", ImageFont.load_default(size=15), anchor="mm")
    top = 24
    for row in cells:
        for column, image in enumerate(row):
            whole.paste(image, (column * (CELL + 4) + (CELL - image.width) // 2, top))
        top += row[0].height + 4
    return whole


def main() -> None:
    """Run everything, write figures and sheets."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--limit", type=int, default=10**6, help="photographs to take")
    options = parser.parse_args()
    engine = Engine()
    photographs = dict(list(sources(options.side).items())[: options.limit])
    figures: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    images = REPOSITORY / "docs" / "images"
    for style in STYLES:
        data = style_file(style).read_bytes()
        reference = Image.open(style_file(style)).convert("RGB")
        rows: list[list[Image.Image]] = []
        for source in photographs.values():
            row = [source]
            for strength in STRENGTHS:
                began = time.process_time()
                request = EditRequest(
                    source=read_bytes(source),
                    references=(data,),
                    strength=strength,
                    sampler="euler",
                )
                result = engine.run(request).image
                spent = time.process_time() - began
                figures[style][f"{strength:g}"].append(measure(source, result, reference, spent))
                row.append(result)
            others = {
                "colours": picture(matched(opponent(source), opponent(reference), 1.0)),
                "gpnn-like": gpnn(source, reference),
            }
            for label, image in others.items():
                figures[style][label].append(measure(source, image, reference, 0.0))
            rows.append([*row, *others.values()])
        labels = ["source", *(f"{strength:g}" for strength in STRENGTHS), "colours", "GPNN-like"]
        sheet(rows, labels).save(images / f"photos-{style}.jpg", quality=80)
        means = {
            kind: {key: round(float(np.mean([e[key] for e in each])), 3) for key in each[0]}
            for kind, each in figures[style].items()
        }
        print(style, json.dumps(means), flush=True)
    save(figures, options.side, list(photographs))


def save(figures: dict[str, Any], side: int, names: list[str]) -> None:
    """Means over the photographs, and over all styles."""
    table: dict[str, Any] = {"side": side, "photographs": names, "styles": {}}
    for style, kinds in figures.items():
        table["styles"][style] = {
            kind: {key: round(float(np.mean([e[key] for e in each])), 3) for key in each[0]}
            for kind, each in kinds.items()
        }
    every = table["styles"].values()
    table["mean"] = {
        kind: {
            key: round(float(np.mean([style[kind][key] for style in every])), 3)
            for key in next(iter(every))[kind]
        }
        for kind in next(iter(every))
    }
    file = REPOSITORY / "docs" / "results" / "photos.json"
    file.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    print(json.dumps(table["mean"], indent=1))


if __name__ == "__main__":
    main()
