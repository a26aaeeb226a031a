"""Measure an exported folder on held-out artwork, and draw the page that a person looks at.

    python evaluate.py FOLDER --out results.json --sheet sheet.png [--pairs 64] [--steps 16]

Restyle: a picture in style A becomes the prompt's style B, at several start levels (noise
fractions). Counted: does the judge (classifier.py) see style B, and the subject among its first
five; how much structure is kept (correlation of luma gradients at 64 px) and how far colours are
(RMS of 16 x 16 block means) from source and true target. Text to image: the same from pure noise.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from captions import load_index
from classifier import STYLES, accuracy, load_judge
from data import held_out, on_white
from paths import DATA, SPLIT
from sampling import Exported
from subjects import squash

LEVELS = (0.3, 0.45, 0.58, 0.62, 0.7, 0.8, 0.9)


def pairs_of(records: list[dict], seed: int) -> list[tuple[int, int]]:
    """(source, target) indices: every held-out single picture, drawn from a random other style of
    its subject.
    """
    split, rng = json.loads(SPLIT.read_text()), np.random.default_rng(seed)
    singles = {(p["style"], squash(p["subject"])) for p in split["pictures"]}
    groups: dict[str, list[int]] = {}
    for i, record in enumerate(records):
        groups.setdefault(record["subject"], []).append(i)
    pairs = []
    for i, record in enumerate(records):
        listed = (record["style"], squash(record["subject"])) in singles
        others = [j for j in groups[record["subject"]] if records[j]["style"] != record["style"]]
        if listed and others:
            pairs.append((int(rng.choice(others)), i))
    return [pairs[k] for k in rng.permutation(len(pairs))]


def load(indices: list[int], side: int) -> np.ndarray:
    """(B, 3, side, side) in [-1, 1] on white."""
    pictures = np.load(DATA / "pictures256.npy", mmap_mode="r")
    return resize(on_white(pictures[indices]).transpose(0, 3, 1, 2) * 2 - 1, side)


def resize(images: np.ndarray, side: int) -> np.ndarray:
    """Block means down, or repeated pixels up."""
    factor = images.shape[-1] / side
    if factor > 1:
        n, c = images.shape[:2]
        f = int(factor)
        return images.reshape(n, c, side, f, side, f).mean(axis=(3, 5))
    return images.repeat(int(1 / factor), -1).repeat(int(1 / factor), -2)


def structure(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation of luma gradients at 64 px, one number a picture."""
    slopes = []
    for images in (a, b):
        luma = resize(images, 64).mean(1)
        slope = np.stack(np.gradient(luma, axis=(1, 2)), 1).reshape(len(images), -1)
        slopes.append(slope / (np.linalg.norm(slope, axis=1, keepdims=True) + 1e-6))
    return (slopes[0] * slopes[1]).sum(1)


def colour(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """RMS difference of 16 x 16 block means, one number a picture."""
    return np.sqrt(((resize(a, 16) - resize(b, 16)) ** 2).mean(axis=(1, 2, 3)))


def judged(judge, images: np.ndarray, records: list[dict]) -> dict:
    """The judge's hits on generated pictures."""
    place = {name: i for i, name in enumerate(judge.subjects)}
    style = np.array([STYLES.index(r["style"]) for r in records])
    subject = np.array([place.get(r["subject"], -1) for r in records])
    return accuracy(judge, torch.tensor(resize(images, 64)).float(), style, subject)


def restyle(
    model: Exported, judge, pairs: list[tuple[int, int]], records: list[dict], steps: int
) -> list[dict]:
    """One row a start level."""
    sources, targets = ([p[k] for p in pairs] for k in (0, 1))
    source, target = (load(i, model.native) for i in (sources, targets))
    prompts = [f"{records[i]['name']}, {records[i]['style']}" for i in targets]
    wanted = [records[i] for i in targets]
    rows = [
        {"level": "true target"} | judged(judge, target, wanted),
        {"level": 0.0} | judged(judge, source, wanted),
    ]
    for level in (*LEVELS, 1.0):
        made = []
        for k in range(0, len(pairs), 16):
            part = slice(k, k + 16)
            seeds = [1000 + i for i in targets[part]]
            latents = model.edit(model.encode(source[part]), prompts[part], level, steps, seeds)
            made.append(model.decode(latents))
        images = np.concatenate(made)
        rows.append({
            "level": level, **judged(judge, images, wanted),
            "structure_kept": round(float(structure(images, source).mean()), 3),
            "structure_with_target": round(float(structure(images, target).mean()), 3),
            "colour_to_source": round(float(colour(images, source).mean()), 3),
            "colour_to_target": round(float(colour(images, target).mean()), 3),
        })  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def sheet(
    model: Exported, pairs: list[tuple[int, int]], records: list[dict], steps: int
) -> Image.Image:
    """Source, one column a level, true target; one row a pair."""
    sources, targets = ([p[k] for p in pairs] for k in (0, 1))
    prompts = [f"{records[i]['name']}, {records[i]['style']}" for i in targets]
    source = load(sources, model.native)
    columns = [source]
    for level in (*LEVELS, 1.0):
        latents = model.edit(model.encode(source), prompts, level, steps, [7 + i for i in targets])
        columns.append(model.decode(latents))
    columns.append(load(targets, model.native))
    page = (
        np.concatenate(columns, axis=3)
        .transpose(0, 2, 3, 1)
        .reshape(-1, len(columns) * model.native, 3)
    )
    return Image.fromarray(((page + 1) * 127.5).round().astype(np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--rows", type=int, default=10, help="rows of the sheet")
    parser.add_argument("--steps", type=int, default=16)
    arguments = parser.parse_args()
    model, records = Exported(arguments.folder), load_index()
    pairs = pairs_of(records, 0)
    if arguments.sheet:
        sheet(model, pairs[: arguments.rows], records, arguments.steps).save(arguments.sheet)
    if not arguments.out:
        return
    judge, begin = load_judge(), time.monotonic()
    held = np.flatnonzero(held_out(records))
    rows = restyle(model, judge, pairs[: arguments.pairs], records, arguments.steps)
    ruler = judged(judge, load(list(held), 64), [records[i] for i in held])
    report = {
        "trained_images": model.config.get("trained_images"),
        "judge_on_real": ruler,
        "restyle": rows,
    }
    report |= {"pairs": len(pairs[: arguments.pairs]), "steps": arguments.steps}
    report["seconds"] = round(time.monotonic() - begin)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
