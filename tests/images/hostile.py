"""Files that may harm whoever reads them, read in a process of their own that may die of it.

A child reads one file after the other, each within a time; its memory is bounded. The parent hears
of each, and where the child dies it notes why and starts another for the rest.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("PARTWAY_TEST_CORPUS") or ROOT.parent / "shared" / "corpus")
SECONDS = 10
MEMORY = 3 * 2**29  # bytes of address space beyond what the imports take
KINDS = ("cut", "flip", "splice", "lie", "blank")


@dataclass(frozen=True)
class Verdict:
    """What became of a file: picture, refused, untyped, crash or hang; and what was said."""

    file: str
    kind: str
    says: str = ""
    cpu_seconds: float = 0.0
    grown: int = 0


@lru_cache(1)
def corpus_files() -> list[Path]:
    return sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.suffix != ".md")


def mutant(seed: int, index: int) -> tuple[str, bytes]:
    """The index-th broken file of a series: a real one cut, with flipped bits, spliced …"""
    rng = random.Random(f"{seed} {index}")  # noqa: S311  to be repeated
    files = [path for path in corpus_files() if path.stat().st_size < 300_000]
    path, other = rng.choice(files), rng.choice(files)
    data = bytearray(path.read_bytes())
    kind = rng.choice(KINDS)
    at = rng.randrange(len(data) + 1)
    if kind == "cut":
        del data[at:]
    elif kind == "flip":
        for _ in range(64):
            if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "splice":
        data[at:] = other.read_bytes()[at:]
    elif kind == "lie":  # about sizes, which stand near the beginning
        start = rng.randrange(min(64, len(data)) + 1)
        data[start : start + 4] = rng.choice([bytes(4), b"\xff" * 4, b"\0\1\0\0", rng.randbytes(4)])
    else:
        data[at : at + rng.randrange(1, 400)] = bytes(rng.randrange(1, 400))
    return f"{path.name} {kind} {index}", bytes(data)


def careful(data: bytes, name: str) -> Any:
    """What Partway does with a source, and with the result of strength 0."""
    from partway import images

    picture = images.load(data, name)
    assert picture.rgb.shape == (picture.extent.height, picture.extent.width, 3)
    assert picture.rgb.dtype == np.uint8
    if picture.rgb.size < 3_000_000:
        again = images.load(images.encode(picture.image, "PNG", picture.carried, fast=True))
        assert again.extent == picture.extent
    return picture


def careless(data: bytes, name: str) -> Any:
    """What a program does that nobody has attacked yet."""
    from PIL import Image

    del name
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def judge(
    files: Sequence[str], *, reader: str = "careful", seconds: int = SECONDS
) -> Iterator[Verdict]:
    """A verdict on each file: a path, or "mutant SEED INDEX"."""
    start = 0
    while start < len(files):
        child = subprocess.run(
            [sys.executable, __file__, reader, str(seconds)],
            input="\n".join(files[start:]),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        lines = [json.loads(line) for line in child.stdout.splitlines()]
        yield from (Verdict(**line) for line in lines)
        start += len(lines)
        if start < len(files):
            died = -child.returncode
            kind = "hang" if died == signal.SIGALRM else "crash"
            yield Verdict(files[start], kind, f"exit {child.returncode}: {child.stderr[-500:]}")
            start += 1


def _read_all(reader: str, seconds: int) -> None:
    """The child: reads names from stdin and says a line about each."""
    importlib.import_module("partway.images")
    from partway.errors import PartwayError

    read = {"careful": careful, "careless": careless}[reader]
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for line in sys.stdin.read().split("\n"):
        signal.alarm(seconds)
        if line.startswith("mutant "):
            _, seed, index = line.split()
            name, data = mutant(int(seed), int(index))
        else:
            name, data = Path(line).name, Path(line).read_bytes()
        before = resource.getrusage(resource.RUSAGE_SELF)
        kind, says = "picture", ""
        try:
            read(data, name)
        except PartwayError as error:
            kind, says = "refused", str(error)
        except Exception as error:  # noqa: BLE001  to be counted
            kind, says = "untyped", f"{type(error).__name__}: {error}"
        signal.alarm(0)
        after = resource.getrusage(resource.RUSAGE_SELF)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        grown = (after.ru_maxrss - before.ru_maxrss) * 1024
        sys.stdout.write(json.dumps({"file": name, "kind": kind, "says": says,
                                     "cpu_seconds": spent, "grown": grown}) + "\n")  # fmt: skip
        sys.stdout.flush()


if __name__ == "__main__":
    _read_all(sys.argv[1], int(sys.argv[2]))
