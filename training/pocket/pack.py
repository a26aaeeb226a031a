"""All training data in one file of about 30 MB, to carry to a machine with a GPU and nothing else.

    python pack.py write data.pack   # here, after data.py, captions.py and codec.py
    python pack.py read data.pack    # there: fills DATA again; needs Pillow and SciPy, no npm

The pictures at 256 px are kept without loss (WebP); half-size pictures and line drawings are
computed again.
"""

import gzip
import io
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from data import halve, sketch
from paths import DATA

SMALL = ("index.jsonl", "agreement.npz", "tokenizer.json", "codec.npz")


def shrink(premultiplied: np.ndarray) -> bytes:
    """WebP bytes of one picture; premultiplied values as they are, so nothing is rounded."""
    stream = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(premultiplied), "RGBA")
    picture.save(stream, "WEBP", lossless=True, exact=True, quality=60, method=4)
    return stream.getvalue()


def grow(webp: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Picture (256, 256, 4) and line drawing (256, 256), uint8."""
    picture = np.asarray(Image.open(io.BytesIO(webp)).convert("RGBA"))
    return picture, sketch(picture)


def write(path: Path) -> None:
    pictures = np.load(DATA / "pictures256.npy", mmap_mode="r")
    with ProcessPoolExecutor() as pool:
        blobs = list(pool.map(shrink, pictures, chunksize=64))
    parts = {
        name: np.frombuffer(gzip.compress((DATA / name).read_bytes()), np.uint8) for name in SMALL
    }
    parts["word_vectors"] = np.load(DATA / "word_vectors.npy").astype(np.float16)
    parts["lengths"] = np.array([len(b) for b in blobs])
    parts["pictures"] = np.frombuffer(b"".join(blobs), np.uint8)
    with path.open("wb") as stream:
        np.savez(stream, **parts)
    print(f"{path.stat().st_size / 1e6:.1f} MB")


def read(path: Path) -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    parts = np.load(path)
    for name in SMALL:
        (DATA / name).write_bytes(gzip.decompress(parts[name].tobytes()))
    np.save(DATA / "word_vectors.npy", parts["word_vectors"].astype(np.float32))
    ends = parts["lengths"].cumsum()
    every = parts["pictures"].tobytes()
    blobs = [every[end - size : end] for end, size in zip(ends, parts["lengths"], strict=True)]
    with ProcessPoolExecutor() as pool:
        grown = list(pool.map(grow, blobs, chunksize=64))
    for name, column in (("pictures", 0), ("sketches", 1)):
        whole = np.stack([g[column] for g in grown])
        np.save(DATA / f"{name}256.npy", whole)
        np.save(
            DATA / f"{name}128.npy",
            np.concatenate([halve(whole[i : i + 512]) for i in range(0, len(whole), 512)]),
        )


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2]))
