"""All training data in one file of some 50 MB, to carry to a machine with a GPU and nothing else.

    python pack.py write data.pack   # here, after data.py, align.py, captions.py and codec.py
    python pack.py read data.pack    # there: fills DATA again; needs Pillow and SciPy, no npm

The pictures travel at 128 px as WebP (about 43 dB, outlines without loss): all that the denoiser
needs. Line drawings are computed again; the 256 px arrays made there are enlargements.
"""

import gzip
import io
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from data import SIZE, halve, sketch
from paths import DATA

SMALL = ("index.jsonl", "alignment.npz", "tokenizer.json", "codec.npz")
QUALITY = 90


def shrink(premultiplied: np.ndarray) -> bytes:
    """WebP bytes of one picture (128, 128, 4), stored with straight colour."""
    alpha = premultiplied[..., 3:].astype(np.float32)
    colour = (premultiplied[..., :3] * (255.0 / np.maximum(alpha, 1))).clip(0, 255)
    rgba = np.concatenate([colour * (alpha > 0), alpha], axis=-1).round().astype(np.uint8)
    stream = io.BytesIO()
    picture = Image.fromarray(rgba, "RGBA")
    picture.save(stream, "WEBP", quality=QUALITY, alpha_quality=100, method=4)
    return stream.getvalue()


def grow(webp: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture at 128 px and 256 px, premultiplied RGBA, and the line drawing (256, 256); uint8."""
    rgba = np.asarray(Image.open(io.BytesIO(webp)).convert("RGBA")).astype(np.uint16)
    alpha = rgba[..., 3:]
    small = np.concatenate([(rgba[..., :3] * alpha + 127) // 255, alpha], axis=-1).astype(np.uint8)
    layers = [Image.fromarray(np.ascontiguousarray(small[..., c])) for c in range(4)]
    large = [np.asarray(v.resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for v in layers]
    return small, np.stack(large, axis=-1), sketch(np.stack(large, axis=-1))


def write(path: Path) -> None:
    pictures = np.load(DATA / "pictures128.npy", mmap_mode="r")
    with ProcessPoolExecutor() as pool:
        blobs = list(pool.map(shrink, pictures, chunksize=64))
    small = {name: gzip.compress((DATA / name).read_bytes()) for name in SMALL}
    parts = {name: np.frombuffer(content, np.uint8) for name, content in small.items()}
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
    ends, every = parts["lengths"].cumsum(), parts["pictures"].tobytes()
    spans = zip(ends - parts["lengths"], ends, strict=True)
    with ProcessPoolExecutor() as pool:
        grown = list(pool.map(grow, [every[a:b] for a, b in spans], chunksize=64))
    small, large, drawings = (np.stack(column) for column in zip(*grown, strict=True))
    np.save(DATA / "pictures128.npy", small)
    np.save(DATA / "pictures256.npy", large)
    np.save(DATA / "sketches256.npy", drawings)
    halves = [halve(drawings[i : i + 512]) for i in range(0, len(drawings), 512)]
    np.save(DATA / "sketches128.npy", np.concatenate(halves))


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2]))
