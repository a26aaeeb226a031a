"""Which pictures a job has, and whose word counts for each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from partway.errors import InvalidRequest
from partway.jobs.inputs import find
from partway.jobs.items import Item, Writing, items_of
from partway.request import EditRequest

OUT = Path("out")


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
    found = items_of(find("in", Path("in/out"), table), request, Writing(), seeds=seeds)
    return {item.name: item for item in found}


def test_folders_globs_and_lists_name_the_same_pictures(folder: Path) -> None:
    names = ["a.png", "sub/b.jpg", "sub/c.gif"]
    out = Path("in/out")
    assert [each.name for each in find("in", out)] == names
    (folder / "list.txt").write_text("in/a.png\n\nin/sub/b.jpg\nin/sub/c.gif\n")
    assert [each.name for each in find("list.txt", out)] == names
    assert [each.name for each in find("in/**/*.*", out)] == names
    with pytest.raises(InvalidRequest, match="no pictures"):
        find("in/*.webp", out)


def test_no_list_leads_a_result_out_of_its_folder(folder: Path) -> None:
    Image.new("RGB", (8, 8)).save("b.png")
    (folder / "in/list.txt").write_text(f"../b.png\n{folder}/in/a.png\nsub/../sub/b.jpg\n")
    assert [each.name for each in find("in/list.txt", OUT)] == ["b.png", "in/a.png", "in/sub/b.jpg"]


def test_results_are_not_put_among_their_sources(folder: Path) -> None:
    (folder / "list.txt").write_text("in/a.png\nin/sub/b.jpg\n")
    for source, out in (("in", "in"), ("in/*.png", "in"), ("list.txt", "in/sub")):
        with pytest.raises(InvalidRequest, match="lies where the results go"):
            find(source, Path(out))


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
    lines = folder / "table.jsonl"
    lines.write_text('{"file": ' + "[" * 100_000)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        items(lines)


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
    several = items_of(inputs, request, Writing(suffix=".webp"), strengths=[0.3, 0.5])
    assert [item.name for item in several[:2]] == ["a-s0.3.webp", "a-s0.5.webp"]
    assert len({item.params for item in several[:2]}) == 2
    Image.new("RGB", (8, 8)).save(folder / "in/a.gif")
    with pytest.raises(InvalidRequest, match=r"both become a\.png"):
        items()


@pytest.mark.usefixtures("folder")
def test_a_field_that_a_later_version_adds_makes_nothing_anew() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Later(EditRequest):
        invented: int = 0

    inputs = find("in", Path("in/out"))
    now = items_of(inputs, EditRequest(prompt="job", strength=0.3), Writing())[0].params
    assert items_of(inputs, Later(prompt="job", strength=0.3), Writing())[0].params == now
    later = Later(prompt="job", strength=0.3, invented=1)
    assert items_of(inputs, later, Writing())[0].params != now
    assert items_of(inputs, EditRequest(prompt="job"), Writing())[0].params != now
