"""Carry trained weights between machines: the averaged weights in fp16, in parts of 15 MB.

python slim.py split base OUT     # RUNS/base/last.pt -> OUT/part0 … (no optimiser: 46 MB)
python slim.py join OUT base      # OUT/part* -> RUNS/base/last.pt, to export or to go on from
"""

import io
import sys
from pathlib import Path

import torch

from paths import RUNS

PART = 15_000_000


def split(run: str, folder: Path) -> None:
    state = torch.load(RUNS / run / "last.pt", map_location="cpu", weights_only=False)
    weights = state["modules"] | state["average"]
    halves = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    stream = io.BytesIO()
    kept = {key: state[key] for key in ("shape", "step", "seen", "seconds")}
    torch.save(kept | {"weights": halves}, stream)
    content = stream.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    for k, start in enumerate(range(0, len(content), PART)):
        (folder / f"part{k}").write_bytes(content[start : start + PART])


def join(folder: Path, run: str) -> None:
    parts = sorted(folder.glob("part*"), key=lambda path: int(path.name[4:]))
    stream = io.BytesIO(b"".join(path.read_bytes() for path in parts))
    state = torch.load(stream, map_location="cpu", weights_only=False)
    weights = {k: v.float() if v.is_floating_point() else v for k, v in state["weights"].items()}
    average = {k: v.clone() for k, v in weights.items() if v.is_floating_point()}
    kept = {key: state[key] for key in ("shape", "step", "seen", "seconds")}
    target = RUNS / run / "last.pt"
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(kept | {"modules": weights, "average": average, "optimiser": None}, target)


if __name__ == "__main__":
    verb, first, second = sys.argv[1:]
    split(first, Path(second)) if verb == "split" else join(Path(first), second)
