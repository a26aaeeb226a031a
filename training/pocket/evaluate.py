"""Measure pocket on held-out artwork through the engine itself; `make eval-pocket`.

    python evaluate.py MODEL --name pocket [--pairs 120] [--prompts 500]

MODEL is a folder, or the name of an embedded model. What its library holds of the held-out pictures
(export.py --complete) is barred: it would answer with the very picture that is asked for. Results:
docs/results/NAME.json. Pictures: docs/images/NAME-sheet.jpg and NAME-text.jpg. Everything follows
from fixed seeds.

Restyle   a picture in style A, the prompt `name, style B`, strengths 0.2 … 0.8 of the dial
          `standard`; the true picture in style B was never trained on. How far the result is from
          it, and what the judge (classifier.py) sees. Distance: RMS of 16 x 16 block means at
          native size, colours in [-1, 1].
Text      500 prompts; what the judge sees, and how far the nearest training picture is.
Codec     encoder, then decoder, on held-out pictures.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from partway.engine import Engine
from partway.families import load_family, profile_of
from partway.fidelity import kept
from partway.images import read_bytes
from partway.request import EditRequest
from partway.result import EditResult
from PIL import Image

from captions import load_index
from classifier import STYLES, accuracy, load_judge
from data import held_out, on_white
from measures import contact, distance, nearest, shrink, spread, ssim
from paths import DATA, HERE, SPLIT
from subjects import squash

STRENGTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
DOCS = HERE.parent.parent / "docs"
STEPS = 12
"""Evaluations of an edit; the default 20 take longer and differ little."""
GROUP = 8
"""Requests that share one run: more need more memory and are not faster."""


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


def load(indices: list[int]) -> np.ndarray:
    """(B, 256, 256, 3) uint8 on white."""
    pictures = np.load(DATA / "pictures256.npy", mmap_mode="r")
    return np.stack([(on_white(pictures[i]) * 255).round().astype(np.uint8) for i in indices])


def prompt_of(record: dict) -> str:
    return f"{record['name']}, {record['style']}"


def render(engine: Engine, requests: list[EditRequest], title: str) -> np.ndarray:
    """(B, 256, 256, 3) uint8, in order."""
    made: list[np.ndarray] = []
    for outcome in outcomes(engine, requests):
        made.append(np.asarray(outcome.image.convert("RGB")))
        print(f"\r{title}: {len(made)} of {len(requests)}", end="", flush=True)
    print()
    return np.stack(made)


def outcomes(engine: Engine, requests: list[EditRequest]) -> Iterator[EditResult]:
    for k in range(0, len(requests), GROUP):
        for outcome in engine.run_many(requests[k : k + GROUP]):
            if not isinstance(outcome, EditResult):
                raise outcome
            yield outcome


def judged(judge: Any, images: np.ndarray, records: list[dict]) -> dict[str, float]:
    """The judge's hits: style, subject first, subject among the first five."""
    place = {name: i for i, name in enumerate(judge.subjects)}
    style = np.array([STYLES.index(r["style"]) for r in records])
    subject = np.array([place.get(r["subject"], -1) for r in records])
    return accuracy(judge, torch.from_numpy(shrink(images, 64)), style, subject)


def restyle(engine: Engine, model: str, judge: Any, pairs: list, records: list[dict]) -> dict:
    """A row for the true pictures, one for the sources, one for every strength."""
    source, target = load([a for a, _ in pairs]), load([b for _, b in pairs])
    wanted = [records[b] for _, b in pairs]
    rows = {}
    for strength in STRENGTHS:
        requests = [
            EditRequest(
                prompt=prompt_of(r), source=read_bytes(picture), strength=strength,
                seed=index, model=model, steps=STEPS,
            )
            for (_, index), r, picture in zip(pairs, wanted, source, strict=True)
        ]  # fmt: skip
        made = render(engine, requests, f"strength {strength}")
        scores = [kept(a, b) for a, b in zip(source, made, strict=True)]
        rows[f"{strength}"] = judged(judge, made, wanted) | {
            "to_target": distance(made, target),
            "structure_kept": round(float(np.mean([s.structure for s in scores])), 4),
        }
    return {
        "pairs": len(pairs),
        "true": judged(judge, target, wanted),
        "source": judged(judge, source, wanted) | {"to_target": distance(source, target)},
        "strengths": rows,
    }


def texts(
    engine: Engine, model: str, judge: Any, records: list[dict], count: int
) -> tuple[dict, np.ndarray]:
    """Text to image: random known subjects in random styles, and what nearness means."""
    rng, held = np.random.default_rng(3), held_out(records)
    known = {name: r for r in records if (name := r["subject"]) in set(judge.subjects)}
    names = sorted(known)
    chosen = [
        known[names[int(rng.integers(len(names)))]] | {"style": str(rng.choice(STYLES))}
        for _ in range(count)
    ]
    requests = [
        EditRequest(prompt=prompt_of(r), seed=k, model=model, steps=STEPS)
        for k, r in enumerate(chosen)
    ]
    made = render(engine, requests, "text to image")
    small = np.load(DATA / "pictures128.npy", mmap_mode="r")
    trained = np.flatnonzero(~held)
    library = np.concatenate([
        shrink((on_white(small[part]) * 255).astype(np.uint8), 32).reshape(len(part), -1)
        for part in np.array_split(trained, 40)
    ])  # fmt: skip
    real = load(list(rng.choice(np.flatnonzero(held), 200, replace=False)))
    report = {
        "prompts": count,
        **judged(judge, made, chosen),
        "to_nearest_training_picture": spread(nearest(made, library)),
        "real_held_out_to_nearest": spread(nearest(real, library)),
    }
    return report, made


def codec(model: str, indices: list[int]) -> dict[str, dict[str, float]]:
    """PSNR and SSIM of decoder(encoder(picture)), at native size and at 128 px."""
    family = load_family(profile_of(model), "fp32")
    native = family.profile.native_size
    results: dict[str, list] = {}
    for picture in load(indices):
        true = shrink(picture[None], native)[0]
        made = family.decode(family.encode(true)).clip(-1, 1)
        for side in {native, 128}:
            f = native // side
            a, b = (
                x.reshape(3, side, f, side, f).mean(axis=(2, 4)).transpose(1, 2, 0)
                for x in (made, true)
            )
            error = max(float(((a - b) ** 2).mean()), 1e-8)
            results.setdefault(f"{side} px", []).append((10 * np.log10(4 / error), ssim(a, b)))
    means = {side: np.mean(rows, axis=0) for side, rows in results.items()}
    return {
        side: {"psnr": round(float(m[0]), 2), "ssim": round(float(m[1]), 4)}
        for side, m in sorted(means.items())
    }


def sheet(engine: Engine, model: str, pairs: list, records: list[dict]) -> Image.Image:
    """Source, one column a strength, true target; one row a pair."""
    source, target = load([a for a, _ in pairs]), load([b for _, b in pairs])
    requests = [
        EditRequest(
            prompt=prompt_of(records[b]), source=read_bytes(picture), strength=strength,
            seed=7, model=model, steps=STEPS,
        )
        for (_, b), picture in zip(pairs, source, strict=True) for strength in STRENGTHS
    ]  # fmt: skip
    made = render(engine, requests, "sheet").reshape(len(pairs), len(STRENGTHS), *source.shape[1:])
    return contact(np.concatenate([source[:, None], made, target[:, None]], axis=1), 160)


def barred(folder: Path, to: Path, trained: int) -> None:
    """A copy of the model whose finder never answers with a picture behind the first `trained`."""
    shutil.copytree(folder, to)
    text = onnx.load(to / "text_encoder.onnx")
    for weight in text.graph.initializer:
        if "finder.penalty" in weight.name:
            penalty = numpy_helper.to_array(weight).copy()
            penalty[trained:] = 1e4
            weight.CopyFrom(numpy_helper.from_array(penalty, weight.name))
    onnx.save(text, to / "text_encoder.onnx")


def measure(options: argparse.Namespace) -> dict:
    """Everything, as one record."""
    records, engine, begin = load_index(), Engine(), time.monotonic()
    pairs, judge = pairs_of(records, 0), load_judge()
    images = DOCS / "images"
    sheet(engine, options.model, pairs[-8:], records).save(
        images / f"{options.name}-sheet.jpg", quality=88
    )
    held = np.flatnonzero(held_out(records))
    report: dict[str, Any] = {
        "model": options.name,
        "gain": profile_of(options.model).gain,
        "guidance": profile_of(options.model).default_guidance,
        "evaluations": STEPS,
        "judge_on_real_held_out": judged(judge, load(list(held)), [records[i] for i in held]),
        "codec": codec(options.model, list(held[:: max(1, len(held) // 150)])),
        "restyle": restyle(engine, options.model, judge, pairs[: options.pairs], records),
    }
    text, made = texts(engine, options.model, judge, records, options.prompts)
    contact(made[: len(made) // 12 * 12][:48].reshape(-1, 12, *made.shape[1:]), 110).save(
        images / f"{options.name}-text.jpg", quality=88
    )
    return report | {"text_to_image": text, "minutes": round((time.monotonic() - begin) / 60, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--name", required=True)
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--prompts", type=int, default=500)
    options = parser.parse_args()
    trained = int((~held_out(load_index())).sum())
    with tempfile.TemporaryDirectory() as room:
        without = Path(room) / options.name
        barred(profile_of(options.model).folder, without, trained)
        report = measure(argparse.Namespace(**vars(options) | {"model": str(without)}))
    path = DOCS / "results" / f"{options.name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
