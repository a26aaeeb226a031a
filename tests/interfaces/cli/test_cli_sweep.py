"""`partway sweep`: pictures over strengths, and the contact sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run

FAST = ("-m", "analytic", "--steps", "2")


def files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return found - {"icon.png"}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--strengths", "0.2,0.4"], {"icon-s0.2.png", "icon-s0.4.png", "icon-sweep.png"}),
        (
            ["--strengths", "0:1:0.5", "-o", "out"],
            {"out/icon-s0.png", "out/icon-s0.5.png", "out/icon-s1.png", "out/icon-sweep.png"},
        ),
        (["--strengths", "0.2", "-o", "{strength}.png"], {"0.2.png", "icon-sweep.png"}),
        (
            ["--strengths", "0.2", "-b", "2"],
            {"icon-s0.2-seed1.png", "icon-s0.2-seed2.png", "icon-sweep.png"},
        ),
        (["--sheet-only"], {"icon-sweep.png"}),
        (["--sheet-only", "-o", "s.png"], {"s.png"}),
        (["--sheet-only", "-o", "out/"], {"out/icon-sweep.png"}),
        (["--strengths", "0"], {"icon-s0.png", "icon-sweep.png"}),
    ],
)
def test_files(args: list[str], expected: set[str], run: Run, work: Path) -> None:
    result = run("sweep", "icon.png", "red", *FAST, *args)
    assert result.exit_code == 0, result.stderr
    assert files(work) == expected


def test_the_default_strengths(run: Run, work: Path) -> None:
    del work
    rows = run.lines(run("sweep", "icon.png", "red", *FAST, "--json"))
    assert [row["strength"] for row in rows] == [0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0]
    assert {row["mode"] for row in rows} == {"shared"}
    assert {row["sheet"] for row in rows} == {"icon-sweep.png"}
    assert {row["seed"] for row in rows} == {1}
    assert np.array_equal(run.pixels("icon-s0.png"), run.pixels("icon.png"))


def test_a_mask_or_a_map_holds_for_every_strength(run: Run, work: Path) -> None:
    source = run.pixels("icon.png")
    height, width = source.shape[:2]
    shape = np.zeros((height, width), np.uint8)
    shape[:, width // 2 :] = 255
    Image.fromarray(shape).save(work / "half.png")
    for option in ("--mask", "--map"):
        args = ("--strengths", "0.6,1", option, "half.png", "-o", f"{option[2:]}/")
        extra = ("--feather", "0") if option == "--mask" else ()
        rows = run.lines(run("sweep", "icon.png", "red", *FAST, *args, *extra, "--json"))
        for row in rows:
            found = run.pixels(row["path"])
            assert np.array_equal(found[:, : width // 2], source[:, : width // 2])
            assert not np.array_equal(found, source)
    told = run("sweep", "icon.png", "red", *FAST, "--mask-invert")
    assert (told.exit_code, "is for masks" in told.stderr) == (2, True)
    assert "half.png (SHA-256" in run("info", "mask/icon-s0.6.png").stdout


def test_the_sheet_on_stdout(run: Run, work: Path) -> None:
    result = run("sweep", "icon.png", "red", *FAST, "--strengths", "0.5", "--sheet-only", "-o", "-")
    assert result.exit_code == 0
    assert result.stdout_bytes.startswith(b"\x89PNG")
    assert run.size(result.stdout_bytes)[0] > 500
    assert files(work) == set()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-o", "-"], "add --sheet-only"),
        (["-o", "one.png"], "cannot all be 'one.png'"),
        (["--sheet-only", "-o", "icon.png"], "icon.png exists"),
        (["--sheet-only", "-o", "-", "--json"], "not together with --json"),
        (["--strengths", "0.5,2"], "strength is 2.0"),
    ],
)
def test_refused(args: list[str], message: str, run: Run, work: Path) -> None:
    result = run("sweep", "icon.png", "red", *FAST, *args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert files(work) == set()


def test_a_sweep_never_needs_advice_about_strength(run: Run, work: Path) -> None:
    del work
    assert "hint" not in run("sweep", "icon.png", "red", *FAST).stderr
    assert "hint: the prompt is empty" in run("sweep", "icon.png", *FAST).stderr


def test_again_is_numbered(run: Run, work: Path) -> None:
    for _ in range(2):
        run("sweep", "icon.png", "red", *FAST, "--strengths", "0.2")
    assert files(work) == {
        "icon-s0.2.png",
        "icon-s0.2-2.png",
        "icon-sweep.png",
        "icon-sweep-2.png",
    }
