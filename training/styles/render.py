"""Render the style pictures that travel with Partway: render.py [FOLDER [NAME …]].

Each is drawn by its function from its own seed; nothing is traced or photographed, so they are
ours to give away. Together they stay below 5 MB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from brushes import (
    Generator,
    Plane,
    field,
    fractal,
    hexes,
    mixed,
    paint,
    relief,
    scene,
    warp,
)
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

SIZE = 512
QUALITY = 90
HERE = Path(__file__).resolve().parent
STYLES = HERE.parent.parent / "src" / "partway" / "styles"


def watercolour(rng: Generator) -> Plane:
    """Washes with dark rims, granulation and the white of the paper."""
    palette = hexes("f4efe2 e9c46a 7fb7be 2a6f97 d1495b 6a994e 463f57 f2cc8f 84a98c 1d3557")
    base = scene(rng, SIZE, palette, 34)
    image = np.ones((SIZE, SIZE, 3)) * hexes("fbf8f0")[0]
    for blur, share in ((7.0, 0.55), (2.5, 0.75)):
        wash = gaussian_filter(base, (blur, blur, 0))
        wash = warp(wash, 5 * fractal(rng, SIZE, 18), 5 * fractal(rng, SIZE, 18))
        levels = np.round(wash * 6 + 0.35 * fractal(rng, SIZE, 30)[..., None]) / 6
        soft = gaussian_filter(levels, (1.0, 1.0, 0))
        rim = np.abs(soft - gaussian_filter(levels, (4, 4, 0))).sum(axis=-1)
        pigment = (1 - soft) * (1 + 0.22 * fractal(rng, SIZE, 26))[..., None] + 0.55 * rim[
            ..., None
        ]
        image *= 1 - share * np.clip(pigment, 0, 1)
    image = np.clip(image * 1.12 + 0.02, 0, 1)
    grain = gaussian_filter(rng.standard_normal((SIZE, SIZE)), 0.9)
    image -= 0.10 * (1 - image) * np.clip(grain * 2.5, -1, 2)[..., None]
    return relief(image, grain, 0.07)


def oil(rng: Generator) -> Plane:
    """Thick strokes along the forms, the light catching their ridges."""
    palette = hexes("f3e3b3 e6b450 c8553d 7d2e2e 2c3e63 3f7d8c 8fae74 1b1f2b e9dcc9 b07d4f")
    base = scene(rng, SIZE, palette, 30)
    base += 0.05 * fractal(rng, SIZE, 40)[..., None]
    image = gaussian_filter(base, (4, 4, 0))
    for length, width, count in ((80, 28, 1500), (56, 19, 2400), (34, 11, 1500)):
        paint(rng, image, base, length, width, count, jitter=0.085, bristles=0.17)
    return relief(image, gaussian_filter(image.mean(axis=-1), 0.8), 2.0)


def impression(rng: Generator) -> Plane:
    """Short dabs of broken, bright colour."""
    palette = hexes("fdf0c4 f7c59f 8ecae6 5fa8d3 b8d8a7 f28482 6d597a 355070 f6bd60 84a59d")
    base = scene(rng, SIZE, palette, 30)
    image = gaussian_filter(base, (6, 6, 0))
    for length, width, count in ((26, 12, 6000), (18, 9, 7000)):
        paint(rng, image, base, length, width, count, jitter=0.09, swirl=0.7, bristles=0.06)
    return relief(image, gaussian_filter(image.mean(axis=-1), 0.7), 0.8)


def mosaic(rng: Generator) -> Plane:
    """Stone tiles in rows, no two alike, set in pale grout."""
    palette = hexes("f1e4c3 c99e5b 8c4a2f 3d5a6c 6f9ba6 2b2d33 b5b8a3 7a7f4f d9c7a7 a23e2c")
    base = scene(rng, SIZE, palette, 26)
    step = 11.0
    gy, gx = np.meshgrid(np.arange(-1, SIZE / step + 1), np.arange(-1, SIZE / step + 1))
    seeds = np.stack([gy.ravel(), gx.ravel()], axis=1) * step
    seeds[:, 1] += step / 2 * (gy.ravel() % 2)
    seeds += rng.normal(0, 1.3, seeds.shape)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    near, which = cKDTree(seeds).query(np.stack([y.ravel(), x.ravel()], axis=1), k=2)
    gap = (near[:, 1] - near[:, 0]).reshape(SIZE, SIZE)
    tile = which[:, 0].reshape(SIZE, SIZE)
    at = np.clip(seeds, 0, SIZE - 1).astype(int)
    colors = base[at[:, 0], at[:, 1]] + rng.normal(0, 0.045, (len(seeds), 1))
    stone = colors[tile] + 0.035 * fractal(rng, SIZE, 4, 2)[..., None]
    bevel = np.clip(gap / 2.2, 0, 1)
    image = mixed(hexes("cfc5ae")[0] * 0.86, stone, np.clip((gap - 0.9) / 1.1, 0, 1))
    return relief(image, gaussian_filter(bevel, 0.7), 0.35)


def pencil(rng: Generator) -> Plane:
    """Graphite hatching, denser and crossed where it is dark."""
    palette = np.linspace(0.05, 1.0, 10)[:, None] * np.ones((1, 3))
    tone = scene(rng, SIZE, palette, 30).mean(axis=-1)
    tone = gaussian_filter(tone, 1.2)
    paper = np.ones((SIZE, SIZE, 3)) * hexes("f6f3ec")[0]
    lead = np.ones((SIZE, SIZE, 3)) * hexes("3a3a3f")[0]
    for angle, edge in ((0.7, 0.92), (-0.6, 0.55), (0.1, 0.28)):
        along = lead.copy()
        dark = np.clip((edge - tone) / 0.45, 0, 1) ** 0.9
        _hatch(rng, paper, along, dark, angle)
    outline = np.clip(6 * np.hypot(*np.gradient(tone)) - 0.12, 0, 1)
    image = mixed(paper, lead * 0.8, 0.8 * gaussian_filter(outline, 0.6))
    grain = gaussian_filter(rng.standard_normal((SIZE, SIZE)), 0.7)
    return np.clip(image + 0.03 * grain[..., None] * (1.2 - image), 0, 1)


def _hatch(rng: Generator, paper: Plane, lead: Plane, dark: Plane, angle: float) -> None:
    """Parallel pencil lines whose weight follows `dark`, in place."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    v = -x * np.sin(angle) + y * np.cos(angle) + 1.6 * fractal(rng, SIZE, 45)
    u = x * np.cos(angle) + y * np.sin(angle)
    line = 0.5 + 0.5 * np.cos(2 * np.pi * v / 5.2)
    broken = 0.25 * field(rng, SIZE, 2.0) + 0.2 * np.sin(u / 17 + 4 * field(rng, SIZE, 30))
    weight = np.clip((line + 0.35 * broken - (1 - dark)) / 0.5, 0, 1) * np.clip(dark * 2.2, 0, 0.82)
    paper[:] = mixed(paper, lead, weight)


def woodcut(rng: Generator) -> Plane:
    """Black ink in carved lines that swell with the dark."""
    palette = np.linspace(0.0, 1.0, 9)[:, None] * np.ones((1, 3))
    rgb = scene(rng, SIZE, palette, 24)
    tone = gaussian_filter(rgb.mean(axis=-1), 2.0)
    y = np.mgrid[0:SIZE, 0:SIZE].astype(float)[0]
    phase = y + 22 * fractal(rng, SIZE, 70, 2) + 14 * gaussian_filter(tone, 8)
    line = 0.5 + 0.5 * np.cos(2 * np.pi * phase / 8.5)
    ink = np.clip((line + 0.12 * field(rng, SIZE, 3.0) - tone * 1.15 + 0.06) * 4.5, 0, 1)
    edges = np.clip(5 * np.hypot(*np.gradient(tone)) - 0.1, 0, 1)
    ink = np.clip(gaussian_filter(np.maximum(ink, edges), 0.7) * 1.3 - 0.15, 0, 1)
    ink *= 0.93 + 0.07 * np.clip(field(rng, SIZE, 0.8), -2, 1)
    return mixed(hexes("efe3c6")[0], hexes("1c1a1c")[0], ink)


def ink(rng: Generator) -> Plane:
    """Diluted ink on rice paper: a few greys, soft bleeding, dry strokes."""
    palette = hexes("f2efe6 e2ded2 b9b6ad 8b8a86 5a5a5c 2f3034 161719 cfcabd")
    base = scene(rng, SIZE, palette, 26)
    image = gaussian_filter(base, (5, 5, 0))
    paint(rng, image, base, 90, 22, 700, jitter=0.03, opacity=0.6, bristles=0.05)
    paint(rng, image, base, 40, 10, 1800, jitter=0.05, opacity=0.7, bristles=0.16)
    image = warp(image, 2 * field(rng, SIZE, 5), 2 * field(rng, SIZE, 5))
    paper = 0.02 * gaussian_filter(rng.standard_normal((SIZE, SIZE)), (0.6, 5))
    return np.clip(gaussian_filter(image, (0.6, 0.6, 0)) + paper[..., None] * 1.5, 0, 1)


def pastel(rng: Generator) -> Plane:
    """Chalk rubbed over toothed paper that shows through."""
    palette = hexes("f7e1d7 edafb8 b0c4b1 dedbd2 4a5759 ffd6a5 a0c4ff bdb2ff 2f3e46 e5989b")
    base = scene(rng, SIZE, palette, 28)
    ground = np.ones((SIZE, SIZE, 3)) * hexes("8d7f74")[0]
    chalk = gaussian_filter(base, (3, 3, 0))
    paint(rng, chalk, base, 46, 8, 6000, jitter=0.06, bristles=0.05, swirl=0.1)
    tooth = gaussian_filter(rng.standard_normal((SIZE, SIZE)), 0.9)
    tooth = tooth / tooth.std()
    return mixed(ground, chalk, 0.86 + 0.22 * tooth)


def glass(rng: Generator) -> Plane:
    """Stained glass: glowing panes between black leads."""
    palette = hexes("ffd166 ef476f 118ab2 06d6a0 f78c6b 073b4c 7b2cbf e9f5db 9b2226 0a9396")
    base = scene(rng, SIZE, palette, 24)
    seeds = rng.uniform(0, SIZE, (420, 2))
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    near, which = cKDTree(seeds).query(np.stack([y.ravel(), x.ravel()], axis=1), k=2)
    gap = (near[:, 1] - near[:, 0]).reshape(SIZE, SIZE)
    at = seeds.astype(int)
    pane = (base[at[:, 0], at[:, 1]] + rng.normal(0, 0.05, (420, 3)))[which[:, 0]]
    pane = pane.reshape(SIZE, SIZE, 3) * (1 + 0.10 * fractal(rng, SIZE, 14))[..., None]
    pane *= (0.86 + 0.2 * np.clip(gap / 16, 0, 1))[..., None]
    image = mixed(hexes("15151a")[0], pane, np.clip((gap - 2.6) / 1.4, 0, 1))
    return np.clip(image, 0, 1)


def linen_wood(rng: Generator) -> Plane:
    """A bright room's materials: light oak boards, linen, white plaster."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    boards = _wood(rng, hexes("e9d2ae")[0], hexes("c59d6c")[0], width=58)
    weave = 0.5 + 0.25 * np.sin(2 * np.pi * x / 4.2 + field(rng, SIZE, 5)) * (
        0.6 + 0.4 * np.sin(2 * np.pi * y / 4.2 + field(rng, SIZE, 5))
    )
    folds = 0.5 + 0.5 * np.sin(x / 31 + 1.6 * fractal(rng, SIZE, 90, 2))
    cloth = mixed(hexes("b9ad98")[0], hexes("f1eadc")[0], 0.35 * weave + 0.25 + 0.45 * folds)
    shade = 0.5 + 0.5 * field(rng, SIZE, 80) / 2
    plaster = mixed(hexes("d9d2c5")[0], hexes("fbf8f2")[0], shade + 0.04 * field(rng, SIZE, 1.5))
    where = scene(rng, SIZE, np.linspace(0, 1, 9)[:, None] * np.ones((1, 3)), 16).mean(axis=-1)
    image = mixed(boards, cloth, (where - 0.42) * 40)
    image = mixed(image, plaster, (where - 0.72) * 40)
    edge = np.clip(4 * np.hypot(*np.gradient(gaussian_filter(where, 2))), 0, 1)
    light = 0.97 + 0.07 * field(rng, SIZE, 70)
    dark = mixed(image, hexes("5c4632")[0], np.clip(1.4 * edge, 0, 0.75))
    return np.clip(_deep(rng, dark, hexes("3a2c20")[0], 0.5) * light[..., None], 0, 1)


def _wood(rng: Generator, light: Plane, dark: Plane, width: int) -> Plane:
    """Boards with grain, gaps and knots."""
    y = np.mgrid[0:SIZE, 0:SIZE].astype(float)[0]
    board = (y // width).astype(int)
    shift = rng.uniform(0, 1000, board.max() + 1)[board]
    drift = gaussian_filter(rng.standard_normal((SIZE, SIZE)), (2.5, 50), mode="wrap")
    ring = np.sin((y % width) / 3.4 + 9 * drift / drift.std() * 0.35 + shift)
    fine = gaussian_filter(rng.standard_normal((SIZE, SIZE)), (0.6, 9), mode="wrap")
    share = 0.42 + 0.2 * ring + 0.12 * fine / fine.std() + 0.12 * np.sin(shift)
    gap = np.clip(1.6 - (y % width), 0, 1)
    return mixed(mixed(light, dark, share), dark * 0.45, gap)


def _deep(rng: Generator, image: Plane, color: Plane, share: float) -> Plane:
    """Soft shadows here and there, so that dark places find a dark place to learn from."""
    pool = np.clip((fractal(rng, SIZE, 60, 2) - 0.9) * 1.2, 0, 1) * (1 + share)
    return mixed(image, image * color * 1.2, np.clip(pool, 0, 0.92))


def brick_steel(rng: Generator) -> Plane:
    """Red brick, brushed steel and dark iron: a loft."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    row = (y // 17).astype(int)
    column = ((x + 20 * (row % 2)) // 40).astype(int)
    tint = rng.normal(0, 1, (64, 64))[row % 64, column % 64]
    clay = mixed(hexes("8f4a36")[0], hexes("c07a58")[0], 0.5 + 0.25 * tint)
    clay = clay + 0.05 * fractal(rng, SIZE, 5, 3)[..., None]
    joint = np.minimum(y % 17, (x + 20 * (row % 2)) % 40)
    wall = mixed(hexes("b9aea2")[0], clay, np.clip((joint - 1.2 + 0.4 * field(rng, SIZE, 2)), 0, 1))
    brush = gaussian_filter(rng.standard_normal((SIZE, SIZE)), (0.5, 24), mode="wrap")
    sheen = 0.5 + 0.35 * np.sin(y / 46 + field(rng, SIZE, 90))
    steel = mixed(hexes("474d54")[0], hexes("dfe4e8")[0], sheen + 0.10 * brush / brush.std())
    iron = mixed(hexes("17181b")[0], hexes("3b3d42")[0], 0.5 + 0.2 * fractal(rng, SIZE, 9))
    where = scene(rng, SIZE, np.linspace(0, 1, 9)[:, None] * np.ones((1, 3)), 16).mean(axis=-1)
    image = mixed(iron, wall, (where - 0.25) * 40)
    image = mixed(image, steel, (where - 0.66) * 40)
    return np.clip(_deep(rng, image, hexes("2a2422")[0], 0.4), 0, 1)


def evening(rng: Generator) -> Plane:
    """Low sun: amber light, long violet shadows, a fine film grain."""
    palette = hexes("ffe8b6 ffc46b f08a4b b8533f 6f3346 3a2344 1d1630 d9a066 8a5a52 fff3d6")
    base = scene(rng, SIZE, palette, 40)
    soft = gaussian_filter(base, (1.2, 1.2, 0)) * 0.8 + gaussian_filter(base, (9, 9, 0)) * 0.2
    glow = np.clip(gaussian_filter(soft, (24, 24, 0)) - 0.5, 0, 1)
    return np.clip(soft + 0.25 * glow + 0.012 * rng.standard_normal((SIZE, SIZE, 1)), 0, 1)


def night(rng: Generator) -> Plane:
    """Blue hour: cold deep tones with a few warm lamps, painted broadly."""
    palette = hexes("0b132b 1c2541 3a506b 5bc0be 274060 6b7fa3 ffd27a 11151f 8fb8de f2e9c9")
    base = scene(rng, SIZE, palette, 30)
    image = gaussian_filter(base, (4, 4, 0))
    for length, width, count in ((70, 20, 1800), (40, 12, 2600)):
        paint(rng, image, base, length, width, count, jitter=0.05, bristles=0.1)
    return relief(image, gaussian_filter(image.mean(axis=-1), 0.7), 1.2)


PAINTERS: dict[str, Callable[[Generator], Plane]] = {
    "watercolour": watercolour,
    "oil": oil,
    "impression": impression,
    "pastel": pastel,
    "pencil": pencil,
    "ink": ink,
    "woodcut": woodcut,
    "mosaic": mosaic,
    "glass": glass,
    "night": night,
    "linen-wood": linen_wood,
    "brick-steel": brick_steel,
    "evening": evening,
}


def main(folder: Path, only: list[str]) -> None:
    """Render all styles, or those named."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, painter) in enumerate(PAINTERS.items()):
        if only and name not in only:
            continue
        picture = painter(np.random.default_rng(2000 + number))
        pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.jpg", quality=QUALITY, subsampling=0)
        print(name, (folder / f"{name}.jpg").stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else STYLES, sys.argv[2:])
