"""`--style`, `--keep-colors` and `partway styles`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from partway.styles import STYLES, style_file

if TYPE_CHECKING:
    from .conftest import Run

QUICK = ("--full-steps", "2", "-q")


@pytest.fixture
def photo(work: Path) -> str:
    rng = np.random.RandomState(1)
    y, x = np.mgrid[0:60, 0:90]
    rgb = np.stack([90 + x, 160 - y, 70 + y], axis=-1) + rng.normal(0, 12, (60, 90, 3))
    Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8)).save("photo.png")
    return "photo.png"


def test_a_photograph_is_restyled_by_name_and_by_file(run: Run, photo: str) -> None:
    assert run(photo, "--style", "mosaic", "-s", "0.5", "-o", "a.png", *QUICK).exit_code == 0
    assert run.size("a.png") == (90, 60)
    Path("mine.jpg").write_bytes(style_file("mosaic").read_bytes())
    assert run(photo, "--style", "mine.jpg", "-s", "0.5", "-o", "b.png", *QUICK).exit_code == 0
    assert (run.pixels("a.png") == run.pixels("b.png")).all()


def test_strength_zero_with_a_style_is_the_source(run: Run, photo: str) -> None:
    assert run(photo, "--style", "oil", "-s", "0", "-o", "a.png", *QUICK).exit_code == 0
    assert (run.pixels("a.png") == run.pixels(photo)).all()


def test_a_sweep_names_the_style(run: Run, photo: str) -> None:
    result = run("sweep", photo, "--style", "ink", "--strengths", "0,0.5", "--json", *QUICK)
    assert result.exit_code == 0, result.stderr
    lines = run.lines(result)
    assert [line["model"] for line in lines] == [None, "exemplar"]
    assert Path(lines[0]["sheet"]).is_file()


def test_no_hint_about_an_empty_prompt(run: Run, photo: str) -> None:
    result = run(photo, "--style", "oil", "-s", "0.4", "--dry-run")
    assert result.exit_code == 0
    assert "prompt" not in result.stderr


def test_a_dry_run_tells_the_evaluations_of_all_scales(run: Run, photo: str) -> None:
    dry = run.lines(run(photo, "--style", "oil", "-s", "0.4", "--dry-run", "--json"))
    wet = run.lines(run(photo, "--style", "oil", "-s", "0.4", "--json", "-o", "a.png"))
    assert dry[0]["evaluations"] == wet[0]["evaluations"]
    assert dry[0]["model"] == "exemplar"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("a red boat", "--style", "oil"), "reads pictures, no words"),
        (("--style", "watercolor"), "did you mean 'watercolour'"),
        (("--style", "nowhere.jpg"), "cannot be read"),
        (("--style", "oil", "-m", "pocket"), "has no use for a style picture"),
        (("-m", "exemplar"), "--style watercolour"),
        (("--keep-colors",), "needs a style picture"),
        (("--recolor",), "needs a style picture"),
        (("--style", "oil", "--recolor", "--keep-colors"), "not both"),
    ],
)
def test_what_is_refused_exits_with_2_and_writes_nothing(
    run: Run, photo: str, args: tuple[str, ...], message: str
) -> None:
    before = sorted(Path().iterdir())
    result = run(photo, *args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert sorted(Path().iterdir()) == before


def test_a_photograph_without_a_model_is_told_of_styles(run: Run, photo: str) -> None:
    result = run(photo, "a boat", "-s", "0.5")
    assert result.exit_code == 2
    assert "looks like a photograph" in result.stderr
    assert "--style watercolour (offline" in result.stderr


def test_the_configured_model_does_not_stand_in_a_style_s_way(
    run: Run, photo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text('model = "pocket"\n')
    monkeypatch.setenv("PARTWAY_CONFIG", str(settings))
    assert run(photo, "--style", "oil", "-s", "0.4", "--dry-run").exit_code == 0


def test_styles_are_listed_and_exist(run: Run) -> None:
    listed = run("styles")
    lines = run.lines(run("styles", "--json"))
    assert [line["name"] for line in lines] == list(STYLES)
    for line in lines:
        assert line["name"] in listed.stdout
        with Image.open(line["file"]) as image:
            assert min(image.size) >= 512
    assert sum(Path(line["file"]).stat().st_size for line in lines) < 5_000_000
