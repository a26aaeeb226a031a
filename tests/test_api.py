from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from partway import edit, replay, sweep
from partway.errors import InputsDiffer, OutputExists, UserError
from partway.metadata import read_metadata


def test_edit_and_sweep(icon: Image.Image) -> None:
    options: dict[str, Any] = {"model": "analytic", "steps": 3, "seed": 4}
    one = edit(icon, "red", strength=0.5, **options)
    many = sweep(icon, "red", (0.0, 0.5, 1.0), **options)
    assert [result.plan.strength for result in many] == [0.0, 0.5, 1.0]
    difference = np.asarray(one.image).astype(int) - np.asarray(many[1].image).astype(int)
    assert np.abs(difference).max() <= 1
    assert edit(None, "red", size=(9, 5), **options).image.size == (9, 5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strenght": 0.5}, "unknown option 'strenght'.*did you mean 'strength'"),
        ({"negative": "x"}, "did you mean 'negative_prompt'"),
        ({"strength": "0.5"}, "unknown strength '0.5'"),
        ({"strength": "balnced"}, "did you mean 'balanced'"),
        ({"keep": 0.7, "strength": 0.5}, "strength or keep"),
        ({"keep": 70}, "keep is 70"),
        ({"keep": "most"}, "want a number"),
        ({"prompt": None}, "want text"),
    ],
)
def test_bad_options_are_typed(options: dict[str, Any], says: str, icon: Image.Image) -> None:
    with pytest.raises(UserError, match=says):
        edit(icon, model="analytic", **options)


@pytest.mark.parametrize("strengths", [0.5, [], ["a"], [2.0], None])
def test_bad_strengths_are_typed(strengths: Any, icon: Image.Image) -> None:
    with pytest.raises(UserError, match="strength"):
        sweep(icon, "red", strengths, model="analytic")


def test_missing_files_are_typed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        edit(tmp_path / "no.png", "red")


def test_a_share_to_keep_or_a_word_finds_the_strength(icon: Image.Image) -> None:
    options: dict[str, Any] = {"model": "analytic", "full_steps": 10}
    kept = edit(icon, "navy, orange, white", keep=0.6, **options)
    assert kept.kept is not None
    assert abs(kept.kept.structure - 0.6) <= 0.025
    again = edit(icon, "navy, orange, white", strength=kept.request.strength, **options)
    assert np.array_equal(np.asarray(again.image), np.asarray(kept.image))
    assert edit(icon, "red", strength="strong", **options).plan.strength == 0.75


def test_samplers_go_by_their_usual_names(icon: Image.Image) -> None:
    typed = edit(icon, "red", model="analytic", steps=3, sampler="DPM++ 2M Karras")
    assert (typed.request.sampler, typed.request.spacing) == ("dpmpp_2m", "karras")
    ours = edit(icon, "red", model="analytic", steps=3, sampler="dpmpp_2m", spacing="karras")
    assert np.array_equal(np.asarray(typed.image), np.asarray(ours.image))
    given = edit(icon, "red", model="analytic", steps=3, sampler="Euler Beta", spacing="uniform")
    assert given.request.spacing == "uniform"


def test_a_saved_result_is_replayed(icon_file: Path, tmp_path: Path) -> None:
    result = edit(icon_file, "navy", strength=0.3, model="analytic", seed=5)
    for name in ("a.png", "a.jpg", "a.webp"):
        result.save(tmp_path / name)
        document = read_metadata(tmp_path / name).document
        assert document is not None
        assert document.source is not None
        assert document.source.name == "icon.png"
        again = replay(tmp_path / name)
        assert np.array_equal(np.asarray(again.image), np.asarray(result.image))
        assert again.warnings == result.warnings


def test_a_replay_of_another_source(icon: Image.Image, icon_file: Path, tmp_path: Path) -> None:
    edit(icon_file, "navy", strength=0.3, model="analytic").save(tmp_path / "a.png")
    other = icon.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    with pytest.raises(InputsDiffer):
        replay(tmp_path / "a.png", source=other)
    notes = replay(tmp_path / "a.png", source=other, anyway=True).warnings
    assert any("SHA-256 differs" in note for note in notes)
    assert any("its pixels are not those" in note for note in notes)


def test_a_replay_of_a_mask_that_moved(icon: Image.Image, icon_file: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    Image.new("L", icon.size, 255).save(mask)
    result = edit(icon_file, "navy", strength=0.3, model="analytic", mask=mask)
    result.save(tmp_path / "a.png")
    (tmp_path / "away").mkdir()
    moved = mask.rename(tmp_path / "away" / "area.png")
    with pytest.raises(InputsDiffer, match="mask"):
        replay(tmp_path / "a.png")
    again = replay(tmp_path / "a.png", mask=moved)
    assert np.array_equal(np.asarray(again.image), np.asarray(result.image))
    assert again.names.mask == str(moved)
    with pytest.raises(InputsDiffer, match="without a style picture"):
        replay(tmp_path / "a.png", mask=moved, references=[icon])


def test_saving(icon: Image.Image, tmp_path: Path) -> None:
    result = edit(icon, "navy", strength=0.3, model="analytic")
    result.save(tmp_path / "a.png")
    with pytest.raises(OutputExists):
        result.save(tmp_path / "a.png")
    result.save(tmp_path / "a.png", overwrite=True, metadata=False)
    assert read_metadata(tmp_path / "a.png").document is None
    with pytest.raises(UserError, match="suffix"):
        result.save(tmp_path / "a.xyz")
