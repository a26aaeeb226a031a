"""`unshare -rm python -m tests.jobs.filling`: a job on a disk too small for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

from partway.interfaces.cli import cli

COUNT, SIDE = 100, 160  # 100 results of 77 kB and the journal, where there is room for 100 of 40


def batch(*words: str) -> Result:
    """One run; typed failures only."""
    edit = ("red", "-m", "analytic", "--steps", "1", "-s", "0.2")
    result = CliRunner().invoke(cli, ["batch", "in", "disk/out", *edit, *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def results() -> dict[str, bytes]:
    """All results there are, every one of them read."""
    found = {file.name: file.read_bytes() for file in Path("disk/out").glob("*.png")}
    for name in found:
        with Image.open(f"disk/out/{name}") as image:
            image.load()
    return found


def stopped(done: Result) -> str:
    """Said once, how to go on."""
    assert done.exit_code == 4, done.output
    assert done.stderr.count("error") == 1, done.stderr
    assert "the same command goes on from here" in done.stderr
    return "stopped"


def main() -> None:
    """Fresh results, then others in their place; each time full, then with room again."""
    rng = np.random.default_rng(1)
    Path("in").mkdir()
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(f"in/{number:03}.png")
    Path("disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "partway", "disk"], check=True)
    ballast = Path("disk/ballast")
    ballast.write_bytes(bytes(4 * 2**20))
    said = [f"fresh {stopped(batch())}"]
    before = results()
    assert 0 < len(before) < COUNT
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=32m", "disk"], check=True)
    assert batch().exit_code == 0
    fresh = results()
    assert len(fresh) == COUNT
    assert before.items() <= fresh.items()

    ballast.write_bytes(bytes(64 * 2**10))
    with ballast.open("ab") as stream:
        free = _free()
        stream.write(bytes(max(free - 2**18, 0)))
    said.append(f"overwriting {stopped(batch('--steps', '2', '--seed', '2'))}")
    torn = results()
    assert len(torn) == COUNT
    ballast.unlink()
    assert batch("--steps", "2", "--seed", "2").exit_code == 0
    again = results()
    assert len(again) == COUNT
    assert all(again[name] != fresh[name] for name in fresh)
    assert all(torn[name] in (fresh[name], again[name]) for name in fresh)
    print(", ".join(said))


def _free() -> int:
    """Bytes that the disk still takes."""
    import os

    found = os.statvfs("disk")
    return found.f_bavail * found.f_frsize


if __name__ == "__main__":
    main()
