"""Masks and maps at the command line: the same pixels as the library's, replayed, refused."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from partway import edit
from partway.examples import HERE
from partway.interfaces.cli import cli

PAGE = (Path(__file__).parents[3] / "docs/masks.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with Image.open(HERE / "fox.png") as fox:
        fox.resize((64, 64)).save("fox.png")
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).rectangle((8, 8, 30, 30), fill=255)
    mask.save("mask.png")
    Image.linear_gradient("L").resize((64, 64)).save("map.png")
    return tmp_path


def run(*words: str) -> str:
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code == 0, result.stderr
    return result.stderr


def pixels(name: str) -> NDArray[np.uint8]:
    with Image.open(name) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    "line",
    [
        line
        for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
    ],
)
@pytest.mark.usefixtures("folder")
def test_commands_of_the_page_run(line: str) -> None:
    run(*shlex.split(line)[1:], "-m", "analytic", "-o", "out.png")
    if "--mask-invert" not in line:
        assert np.array_equal(pixels("out.png")[:1, 60:], pixels("fox.png")[:1, 60:])
    assert not np.array_equal(pixels("out.png"), pixels("fox.png"))


@pytest.mark.usefixtures("folder")
def test_python_of_the_page_runs() -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    exec(compile(code, "masks.md", "exec"), {})  # noqa: S102
    assert Path("masked.png").is_file()


@pytest.mark.usefixtures("folder")
def test_inpaint_is_edit_with_a_mask_and_replays() -> None:
    run("inpaint", "fox.png", "mask.png", "red", "-s", "0.7", "-m", "analytic", "-o", "a.png")
    run("fox.png", "red", "-s", "0.7", "--mask", "mask.png", "-m", "analytic", "-o", "b.png")
    assert np.array_equal(pixels("a.png"), pixels("b.png"))
    alone = edit("fox.png", "red", strength=0.7, mask="mask.png", model="analytic").image
    assert np.array_equal(pixels("a.png"), np.asarray(alone.convert("RGB")))
    assert "bit for bit" in run("replay", "a.png", "-o", "c.png")
    shutil.move("mask.png", "renamed.png")
    assert "bit for bit" in run("replay", "a.png", "-o", "d.png")  # found by its content
    Path("renamed.png").unlink()
    gone = CliRunner().invoke(cli, ["replay", "a.png", "-o", "e.png"])
    assert gone.exit_code == 2
    assert "--mask FILE" in gone.stderr
    assert not Path("e.png").exists()
    other = CliRunner().invoke(cli, ["replay", "a.png", "--mask", "map.png", "-o", "e.png"])
    assert other.exit_code == 2
    assert "SHA-256 differs" in other.stderr


@pytest.mark.usefixtures("folder")
def test_a_mask_without_a_source_is_refused() -> None:
    result = CliRunner().invoke(cli, ["-p", "owl", "--mask", "mask.png", "-m", "analytic"])
    assert result.exit_code == 2
    assert "needs a source" in result.stderr


@pytest.mark.usefixtures("folder")
def test_other_programs_read_how_the_mask_was_used() -> None:
    words = ["inpaint", "fox.png", "mask.png", "red", "-m", "analytic", "-o", "a.png"]
    run(*words, "--feather", "6", "--mask-invert", "--only-masked", "--fill", "noise")
    with Image.open("a.png") as image:
        block = str(image.info["parameters"])
    for key in (
        "Mask blur: 2", "Mask mode: Inpaint not masked", "Inpaint area: Only masked",
        "Masked area padding: 32", "Masked content: latent noise",
    ):  # fmt: skip
        assert key in block
    run(*words[:-1], "b.png")
    with Image.open("b.png") as image:
        assert "Mask blur" not in str(image.info["parameters"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--mask", "words.png"), "the mask is no picture"),
        (("--mask", "small.png"), "the mask is 9×9"),
        (("--map", "small.png"), "the strength map is 9×9"),
        (("--mask", "black.png"), "selects nothing"),
        (("--mask", "alpha"), "no transparent part"),
        (("--style", "words.png"), "the style picture is no picture"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_dry_run_refuses_what_the_run_refuses(words: tuple[str, ...], said: str) -> None:
    Path("words.png").write_text("no picture")
    Image.new("L", (9, 9), 255).save("small.png")
    Image.new("L", (64, 64)).save("black.png")
    base = ["fox.png", "" if "--style" in words else "navy", "-s", "0.5", *words]
    results = [CliRunner().invoke(cli, base + more) for more in (["--dry-run"], [])]
    assert [each.exit_code for each in results] == [2, 2]
    dry, made = (each.stderr for each in results)
    assert said in dry
    assert dry == made
    assert results[0].stdout == ""
