"""Whatever bytes come: a picture, or a typed error that helps. Never a crash, never a hang."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hostile import CORPUS, Verdict, corpus_files, judge
from made import chunk, encoded, png
from PIL import Image

FULL = "PARTWAY_FULL" in os.environ
MUTANTS = range(6000) if FULL else range(500)
HELPS = ("want ", "allowed", "save", "export", "convert", "render", "cut out", "unpack", "develop",
         "scale it", "no bytes", "no pixels", "pip install", "fetch")  # fmt: skip


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    if not CORPUS.is_dir():
        message = f"NO TEST CORPUS at {CORPUS}: hostile files are not tested; PARTWAY_TEST_CORPUS"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    return [str(path) for path in corpus_files()]


def faults(verdicts: list[Verdict]) -> list[str]:
    """Everything that must not be."""
    bad = [v for v in verdicts if v.kind not in {"picture", "refused"}]
    bad += [v for v in verdicts if v.kind == "refused" and not helps(v)]
    return [f"{v.file}: {v.kind} {v.says}" for v in bad]


def helps(verdict: Verdict) -> bool:
    """Whether a refusal names the file and says what is allowed or what to do."""
    return verdict.file in verdict.says and any(word in verdict.says for word in HELPS)


def test_files_of_the_corpus(corpus: list[str]) -> None:
    verdicts = list(judge(corpus))
    counts = Counter(v.kind for v in verdicts)
    assert len(verdicts) == len(corpus) >= 800
    assert faults(verdicts) == []
    assert counts["picture"] >= 400
    assert counts["refused"] >= 150


def test_mutants(corpus: list[str]) -> None:
    assert corpus
    seed = 1 if FULL else 0
    verdicts = list(judge([f"mutant {seed} {index}" for index in MUTANTS]))
    counts = Counter(v.kind for v in verdicts)
    slowest = max(v.cpu_seconds for v in verdicts)
    print(f"{len(verdicts)} mutants: {dict(counts)}, slowest {slowest:.2f} s")
    assert faults(verdicts) == []
    assert min(counts["picture"], counts["refused"]) >= len(MUTANTS) // 10


def test_a_careless_reader_fails(corpus: list[str]) -> None:
    """The same judge, so that a test which finds nothing is known to look."""
    some = [*corpus[::4], *(f"mutant 0 {index}" for index in range(100))]
    found = faults(list(judge(some, reader="careless")))
    assert any("untyped" in fault for fault in found)
    assert len(found) >= 20


def test_a_hang_and_a_crash_are_noticed(tmp_path: Path) -> None:
    """A file that cannot be read within its second, and those after it."""
    good = tmp_path / "good.png"
    good.write_bytes(encoded(Image.new("RGB", (3, 3))))
    slow = tmp_path / "slow"
    os.mkfifo(slow)
    kinds = [v.kind for v in judge([str(good), str(slow), str(good)], seconds=1)]
    assert kinds == ["picture", "hang", "picture"]


def rows(width: int, height: int) -> bytes:
    """Black rows of 1 bit, compressed a thousandfold."""
    return chunk(b"IDAT", zlib.compress(bytes((width + 7) // 8 + 1) * height))


def one_bit(width: int, height: int) -> bytes:
    return png(width, height, rows(width, height), bits=1, color=0)


def gif(frames: int) -> bytes:
    first = encoded(Image.new("P", (1, 1)), "GIF")
    frame = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    return first[:-1] + frame * frames + b";"


def animated_png(frames: int) -> bytes:
    still = encoded(Image.new("RGB", (1, 1)))
    control = chunk(b"acTL", struct.pack(">II", frames, 0))
    step = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0))
    pixel = zlib.compress(bytes(4))
    more = [
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * i + 1, 1, 1, 0, 0, 1, 1, 0, 0))
        + chunk(b"fdAT", struct.pack(">I", 2 * i + 2) + pixel)
        for i in range(frames - 1)
    ]
    end = still.index(b"IDAT") - 4
    return b"".join([still[:end], control, step, still[end:-12], *more, still[-12:]])


BOMBS = {
    "36 megapixels and a row": lambda: one_bit(6000, 6001),
    "64 megapixels": lambda: one_bit(8000, 8000),
    "178 megapixels": lambda: one_bit(13_400, 13_300),
    "65,536 a side": lambda: one_bit(65_536, 65_536)[:5000],
    "65,536 a side, TIFF": lambda: encoded(Image.new("1", (65_536, 64)), "TIFF"),
    "JPEG of 64 megapixels": lambda: encoded(Image.new("L", (8000, 8000)), "JPEG"),
    "GIF of 64 megapixels": lambda: encoded(Image.new("P", (8000, 8000)), "GIF"),
    "WebP of 64 megapixels": lambda: encoded(Image.new("RGB", (8000, 8000)), "WEBP", method=0),
    "a compressed text of 200 MB": lambda: png(
        1, 1, chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(200_000_000))), rows(1, 1)
    ),
    "2,000 texts of 100 kB": lambda: png(
        1, 1, *[chunk(b"zTXt", b"T\0\0" + zlib.compress(bytes(100_000)))] * 2000, rows(1, 1)
    ),
    "a profile of 200 MB": lambda: png(
        1, 1, chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(200_000_000))), rows(1, 1)
    ),
    "a GIF of 100,000 frames": lambda: gif(100_000),
    "a PNG of 100,000 frames": lambda: animated_png(100_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once(name: str, tmp_path: Path) -> None:
    """Within a second of processor time, and 100 MB; the file itself was read before."""
    file = tmp_path / "bomb.bin"
    file.write_bytes(BOMBS[name]())
    (verdict,) = judge([str(file)])
    assert verdict.kind == "refused", verdict
    assert helps(verdict), verdict.says
    assert verdict.cpu_seconds <= 1.0
    assert verdict.grown <= 100_000_000


def test_what_is_within_the_limits_is_no_bomb(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    file.write_bytes(one_bit(6000, 6000))
    (verdict,) = judge([str(file)])
    assert verdict.kind == "picture", verdict
