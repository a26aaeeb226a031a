"""Which pictures a job has, and whose word counts for each."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from partway.calibration import Calibration, Curve
from partway.errors import InvalidRequest
from partway.families import EMBEDDED, profile_of
from partway.jobs.inputs import Inputs, find
from partway.jobs.items import Common, Item, Items, Writing
from partway.request import EditRequest
from partway.settings import save_calibration

OUT = Path("out")
CALIBRATION = Calibration(
    curve=Curve(((0.0, 0.0), (1.0, 1.0))), gain=2.0, levels=(), change=(), spread=(), pictures=0
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/sub/b.jpg", "in/sub/c.gif", "in/.hidden/d.png", "in/out/e.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "red").save(name)
    Path("in/notes.md").write_text("no picture")
    return tmp_path


def items(table: Path | None = None, seeds: str = "same", **fields: object) -> dict[str, Item]:
    request = EditRequest(prompt="job", seed=7, **fields)  # pyright: ignore[reportArgumentType]
    found = Items(find("in", Path("in/out"), table), Common(request, seeds=seeds))
    return {item.name: item for _, item in found}


def names(inputs: Inputs) -> list[str]:
    return [inputs[position].name for position in range(len(inputs))]


def test_folders_globs_and_lists_name_the_same_pictures(folder: Path) -> None:
    expected = ["a.png", "sub/b.jpg", "sub/c.gif"]
    out = Path("in/out")
    assert names(find("in", out)) == expected
    (folder / "list.txt").write_text("in/a.png\n\nin/sub/b.jpg\nin/sub/c.gif\n")
    assert names(find("list.txt", out)) == expected
    assert names(find("in/**/*.*", out)) == expected
    with pytest.raises(InvalidRequest, match="no pictures"):
        find("in/*.webp", out)


def test_no_list_leads_a_result_out_of_its_folder(folder: Path) -> None:
    Image.new("RGB", (8, 8)).save("b.png")
    (folder / "in/list.txt").write_text(f"../b.png\n{folder}/in/a.png\nsub/../sub/b.jpg\n")
    inputs = find("in/list.txt", OUT)
    found = [inputs[position] for position in range(len(inputs))]
    assert [each.name for each in found] == ["b.png", "in/a.png", "in/sub/b.jpg"]
    assert all(each.path.is_file() for each in found)


def test_results_are_not_put_among_their_sources(folder: Path) -> None:
    (folder / "list.txt").write_text("in/a.png\nin/sub/b.jpg\n")
    for source, out in (("in", "in"), ("in/*.png", "in"), ("list.txt", "in/sub")):
        with pytest.raises(InvalidRequest, match="lies where the results go"):
            find(source, Path(out))


def test_a_table_of_endless_depth_is_said(folder: Path) -> None:
    table = folder / "table.jsonl"
    table.write_text('{"file": ' + "[" * 100_000)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        find("in", OUT, table)


def test_the_nearest_word_counts(folder: Path) -> None:
    (folder / "in/a.txt").write_text("from the text\n")
    assert items()["a.png"].request.prompt == "from the text"
    (folder / "in/a.json").write_text(json.dumps({"prompt": "from the object", "strength": 0.0}))
    first = items(strength=0.5)["a.png"].request
    assert (first.prompt, first.strength, first.seed) == ("from the object", 0.0, 7)
    table = folder / "table.csv"
    table.write_text("file,prompt,seed\na.png,from the table,9\nsub/b.jpg,,0\n")
    found = items(table)
    assert (found["a.png"].request.prompt, found["a.png"].request.seed) == ("from the table", 9)
    assert found["a.png"].request.strength == 0.0
    assert (found["sub/b.jpg"].request.prompt, found["sub/b.jpg"].request.seed) == ("job", 0)
    lines = folder / "table.jsonl"
    lines.write_text('{"file": "a.png", "strength": 0.25}\n')
    assert items(lines)["a.png"].request.strength == 0.25


def test_a_strength_may_be_a_word_or_a_percentage(folder: Path) -> None:
    (folder / "in/a.json").write_text('{"strength": "subtle"}')
    table = folder / "table.csv"
    table.write_text("file,strength\nsub/b.jpg,45%\nsub/c.gif,reimagine\n")
    found = items(table, strength=0.7)
    assert [(item.word, item.request.strength) for item in found.values()] == [
        ("subtle", None),
        (None, 0.45),
        ("reimagine", None),
    ]
    assert len({item.params for item in found.values()}) == 3
    table.write_text("file,strength\nsub/b.jpg,subtel\n")
    assert "did you mean 'subtle'" in str(items(table)["sub/b.jpg"].error)
    several = Items(find("in", OUT), Common(EditRequest(prompt="job"), strengths=[0.3, 0.5]))
    assert [item.word for _, item in several if item.source.name == "a.png"] == ["subtle"]


def test_what_is_wrong_with_one_picture_is_its_own_error(folder: Path) -> None:
    (folder / "in/a.json").write_text('{"sed": 3}')
    (folder / "in/sub/b.json").write_text('{"strength": 2}')
    found = items()
    assert "unknown field 'sed'" in str(found["a.png"].error)
    assert "strength" in str(found["sub/b.jpg"].error)
    assert found["sub/c.png"].error is None


def test_a_table_that_is_wrong_stops_the_job(folder: Path) -> None:
    table = folder / "table.csv"
    for text, message in (
        ("file,prompt\nz.png,red\n", "not there: 'z.png'"),
        ("name,prompt\na.png,red\n", "no column `file`"),
        ("file,prompt\na.png,red\na.png,blue\n", "has a row already"),
    ):
        table.write_text(text)
        with pytest.raises(InvalidRequest, match=message):
            items(table)


def test_seeds(folder: Path) -> None:
    assert {item.request.seed for item in items().values()} == {7}
    assert [item.request.seed for item in items(seeds="count").values()] == [7, 8, 9]
    before = items(seeds="by-name")
    Image.new("RGB", (8, 8)).save(folder / "in/0.png")
    after = items(seeds="by-name")
    assert len({item.request.seed for item in after.values()}) == 4
    for name, item in before.items():
        assert after[name].request.seed == item.request.seed


def test_names_follow_from_input_and_strength(folder: Path) -> None:
    request = EditRequest(prompt="job")
    inputs = find("in", Path("in/out"))
    common = Common(request, Writing(suffix=".webp"), strengths=[0.3, 0.5])
    numbered = dict(Items(inputs, common))
    several = list(numbered.values())
    assert {at: Items(inputs, common)[at] for at in numbered} == numbered
    assert [item.name for item in several[:2]] == ["a-s0.3.webp", "a-s0.5.webp"]
    assert len({item.params for item in several[:2]}) == 2
    Image.new("RGB", (8, 8)).save(folder / "in/a.gif")
    with pytest.raises(InvalidRequest, match=r"both become a\.png"):
        items()


def test_masks_of_single_pictures_and_of_all(folder: Path) -> None:
    for name in ("masks/a.png", "masks/sub/b.png", "other.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 255).save(name)
    part = {"mask": Path("masks"), "mask_grow": 2}

    def of(name: str) -> Item:
        common = Common(EditRequest(prompt="job"), part=part)
        return next(i for _, i in Items(find("in", OUT), common) if i.name == name)

    assert of("a.png").part == {"mask": Path("masks/a.png"), "mask_grow": 2}
    assert of("a.png").files == (Path("in/a.png"), Path("masks/a.png"))
    assert of("sub/b.jpg").part["mask"] == Path("masks/sub/b.png")
    assert "masks has nothing for sub/c.gif" in str(of("sub/c.png").error)
    (folder / "in/a.json").write_text('{"mask": "../other.png", "mask_invert": true}')
    own = {"mask": Path("in/../other.png"), "mask_grow": 2, "mask_invert": True}
    assert of("a.png").part == own
    (folder / "in/a.json").write_text('{"strength_map": "../other.png"}')
    assert of("a.png").part == {"strength_map": Path("in/../other.png")}
    (folder / "in/a.json").write_text('{"mask": "alpha"}')
    assert of("a.png").part == {"alpha_mask": True, "mask_grow": 2}
    (folder / "in/a.json").write_text('{"mask": 3}')
    assert "want the name of a file" in str(of("a.png").error)
    table = folder / "table.csv"
    table.write_text("file,mask,only_masked\nsub/b.jpg,other.png,yes\n")
    assert items(table)["sub/b.jpg"].part == {"mask": folder / "other.png", "only_masked": True}
    table.write_text("file,mask,only_masked\nsub/b.jpg,other.png,perhaps\n")
    assert "want yes or no" in str(items(table)["sub/b.jpg"].error)


def test_other_weights_under_the_same_name_are_other_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    shutil.copytree(EMBEDDED["pocket"], folder / "mine")
    before = items(model="mine")["a.png"].params
    assert items(model="mine")["a.png"].params == before
    weights = bytearray((folder / "mine/denoiser.onnx").read_bytes())
    weights[-100] ^= 1
    (folder / "mine/denoiser.onnx").write_bytes(weights)
    assert items(model="mine")["a.png"].params != before
    monkeypatch.setenv("PARTWAY_CONFIG", str(folder / "config.toml"))
    (folder / "config.toml").write_text("")
    calibrated = items(model="mine")["a.png"].params
    save_calibration(profile_of("mine"), CALIBRATION)
    assert items(model="mine")["a.png"].params != calibrated


def test_many_pictures_take_little_memory(folder: Path) -> None:
    rows = ["file,seed"]
    for number in range(2_000):
        (folder / f"in/sub/{number:05}.png").touch()
        rows.append(f"sub/{number:05}.png,{number}")
    next(iter(Items(find("in", OUT), Common(EditRequest(prompt="job")))))  # loads what it needs
    tracemalloc.start()
    inputs = find("in", OUT)
    found = Items(inputs, Common(EditRequest(prompt="job")))
    assert sum(1 for _ in found) == 2_004
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # An item with its request takes more than 2,500 bytes; a name about 250.
    assert held < 2_000 * 1_500, held
    assert peak < 2_000 * 1_800, peak


@pytest.mark.usefixtures("folder")
def test_a_field_that_a_later_version_adds_makes_nothing_anew() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Later(EditRequest):
        invented: int = 0

    def params(request: EditRequest) -> str:
        return next(iter(Items(find("in", Path("in/out")), Common(request))))[1].params

    now = params(EditRequest(prompt="job", strength=0.3))
    assert params(Later(prompt="job", strength=0.3)) == now
    assert params(Later(prompt="job", strength=0.3, invented=1)) != now
    assert params(EditRequest(prompt="job")) != now
