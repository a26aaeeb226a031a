"""Jobs whose pictures and results lie behind URLs: the same results, whole, none lost."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import fsspec  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tests.jobs.stores import breaking

from partway.errors import InvalidRequest, OutputExists
from partway.interfaces.cli import cli
from partway.jobs import claim
from partway.jobs.claim import OWNER, journal_folder
from partway.jobs.files import path_of
from partway.jobs.inputs import find
from partway.jobs.remote import remote
from partway.metadata.reading import read_metadata

FULL = "PARTWAY_FULL" in os.environ
ROOT = Path(__file__).parent.parent.parent
EDIT = ("red, navy", "-m", "analytic", "--steps", "2", "-s", "0.5", "--no-metadata")
STORE: Any = fsspec.filesystem("memory")  # pyright: ignore[reportUnknownMemberType]


def batch(*words: str, edit: tuple[str, ...] = EDIT) -> Result:
    result = CliRunner().invoke(cli, ["batch", *words, *edit])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (12, 12 + number % 3, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def fill(count: int, folder: str = "in") -> None:
    """The same pictures in a folder and in memory://in."""
    for number in range(count):
        name = f"{'sub/' if number % 2 else ''}{number:02}.png"
        Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_bytes(picture(number))
        STORE.pipe_file(f"/in/{name}", picture(number))


def stored(folder: str = "out") -> dict[str, str]:
    found: list[str] = STORE.find(f"/{folder}")
    return {
        name.removeprefix(f"/{folder}/"): hashlib.sha256(STORE.cat_file(name)).hexdigest()
        for name in found
        if not name.endswith(OWNER)
    }


def hashes(folder: str = "out") -> dict[str, str]:
    files = Path(folder).rglob("*.png")
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    STORE.store.clear()
    STORE.pseudo_dirs[:] = [""]
    return tmp_path


def test_the_files_of_a_folder_and_made_once() -> None:
    fill(5)
    STORE.pipe_file("/in/.hidden/no.png", picture(9))
    assert batch("in", "out").exit_code == 0
    first = batch("memory://in", "memory://out/deep")
    assert "5 made" in first.stderr
    assert stored("out/deep") == hashes()
    assert "0 made, 5 there already" in batch("memory://in", "memory://out/deep").stderr
    assert "5 there already" in batch("memory://in/", "memory://out/deep/").stderr
    assert "4 made" in batch("memory://in/**/*[0-3].png", "here").stderr  # into a folder
    assert hashes("here").items() < hashes().items()
    assert "3 made" in batch("memory://in/*.png", "flat").stderr
    assert "1 made" in batch("memory://in/sub/01.png", "single").stderr
    assert hashes("single") == {"01.png": hashes()["sub/01.png"]}
    assert "5 made" in batch("in", "memory://back").stderr  # and out of one
    assert stored("back") == hashes()


def test_what_changed_is_made_anew_and_nothing_else() -> None:
    fill(4)
    batch("memory://in", "memory://out")
    before = stored()
    STORE.pipe_file("/in/00.png", picture(8))
    STORE.pipe_file("/in/02.txt", b"gold")
    STORE.rm_file("/out/sub/01.png")
    assert "3 made, 1 there already" in batch("memory://in", "memory://out").stderr
    after = stored()
    assert {name for name in before if before[name] != after[name]} == {"00.png", "02.png"}


def test_sidecars_tables_lists_and_masks_say_what_they_say_in_folders() -> None:
    fill(4)
    mask, half = io.BytesIO(), Image.new("L", (12, 12))
    half.paste(255, (0, 0, 6, 12))
    half.save(mask, "PNG")
    beside = {"00.txt": b"gold", "sub/01.json": b'{"strength": 0.2, "seed": 5}'}
    for name, data in {**beside, "lain/mask.png": mask.getvalue()}.items():
        Path("in", name).parent.mkdir(exist_ok=True)
        Path("in", name).write_bytes(data)
        STORE.pipe_file(f"/in/{name}", data)
    table = b"file,prompt,mask\nsub/03.png,navy,\n00.png,,in/lain/mask.png\n"
    Path("table.csv").write_bytes(table)
    STORE.pipe_file("/table.csv", table)
    Path("list.txt").write_text("in/00.png\nin/sub/01.png\nin/sub/03.png\n")
    STORE.pipe_file("/list.txt", b"in/00.png\nmemory://in/sub/01.png\n\nin/sub/03.png\n")
    Path("here.txt").write_text(
        "memory://in/00.png\nmemory://in/sub/01.png\nmemory://in/sub/03.png"
    )
    here = batch("list.txt", "out", "--table", "table.csv")
    assert "3 made" in here.stderr, here.output
    there = batch("memory://list.txt", "memory://out", "--table", "memory://table.csv")
    assert "3 made" in there.stderr, there.output
    assert stored() == hashes()
    assert "3 made" in batch("here.txt", "memory://b", "--table", "memory://table.csv").stderr
    assert stored("b") == hashes()
    plain = batch("memory://in/0*.png", "memory://c")
    assert plain.exit_code == 0
    assert stored("c")["00.png"] != stored()["00.png"], "the mask of the table"
    Path("mixed.txt").write_text("memory://in/00.png\nin/sub/01.png")
    assert "of several stores" in batch("mixed.txt", "memory://d").stderr


def test_a_folder_of_masks_is_listed_once() -> None:
    fill(4)
    for number in range(4):
        name = f"{'sub/' if number % 2 else ''}{number:02}.webp"
        stream = io.BytesIO()
        Image.new("L", (12 + number % 3, 12), 255).save(stream, "WEBP", lossless=True)
        STORE.pipe_file(f"/masks/{name}", stream.getvalue())
    with pytest.MonkeyPatch.context() as patch:
        asked: list[str] = []
        kind: Any = STORE.__class__
        real: Any = kind.info

        def info(self: Any, path: str, **options: Any) -> Any:
            asked.append(path)
            return real(self, path, **options)

        patch.setattr(kind, "info", info)
        assert "4 made" in batch("memory://in", "out", "--mask", "memory://masks").stderr
    assert sum("masks" in path for path in asked) <= 2, asked
    assert batch("memory://in", "out", "--mask", "memory://nowhere").exit_code == 2


def test_what_fails_is_written_down_and_tried_again_where_asked() -> None:
    fill(3)
    STORE.pipe_file("/in/00.png", b"no picture")
    done = batch("memory://in", "memory://out")
    assert done.exit_code == 3
    assert "2 made, 0 there already, 1 failed" in done.stderr
    assert set(stored()) == {"sub/01.png", "02.png"}
    assert "0 made, 2 there already, 1 failed" in batch("memory://in", "memory://out").stderr
    again = batch("memory://in", "memory://out", "--retry-failed", "--json")
    assert json.loads(again.stdout)["error"] == "unreadable_image"
    STORE.pipe_file("/in/00.png", picture(0))
    assert "1 made, 2 there already" in batch("memory://in", "memory://out").stderr


def test_what_is_somebody_elses_is_left_alone() -> None:
    fill(2)
    STORE.pipe_file("/out/00.png", b"mine")
    assert batch("memory://in", "memory://out").exit_code == 3
    assert STORE.cat_file("/out/00.png") == b"mine"
    assert batch("memory://in", "memory://out", "--force").exit_code == 0
    assert STORE.cat_file("/out/00.png") != b"mine"
    STORE.pipe_file("/out/00.png", b"retouched")
    assert batch("memory://in", "memory://out").exit_code == 3
    assert STORE.cat_file("/out/00.png") == b"retouched"


def test_a_result_that_appears_meanwhile_is_not_replaced() -> None:
    fill(1)
    out = remote("memory://out").listed() / "00.png"
    STORE.pipe_file("/out/00.png", b"another run's")
    assert not out.exists(), "as it was when it was listed"
    with pytest.raises(OutputExists):
        out.put(b"ours")
    assert STORE.cat_file("/out/00.png") == b"another run's"


@pytest.mark.parametrize("error", [ConnectionError("no answer"), FileExistsError("taken")])
def test_a_put_whose_answer_was_lost_is_done(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    kind: Any = STORE.__class__
    real: Any = kind.pipe_file

    def put(self: Any, path: str, value: bytes, **options: Any) -> None:
        real(self, path, value, **options)
        if path.endswith(".png"):
            raise error

    fill(2)
    with monkeypatch.context() as patch:
        patch.setattr(kind, "pipe_file", put)
        done = batch("memory://in", "memory://out")
    assert done.exit_code == 0, done.stderr
    assert batch("in", "out").exit_code == 0
    assert stored() == hashes()


def test_two_runs_refuse_each_other() -> None:
    fill(1)
    out = path_of("memory://out")
    with claim.opened(out):
        done = batch("memory://in", "memory://out")
        assert done.exit_code == 2
        assert "another run works on" in done.stderr
    elsewhere = batch("memory://in", "memory://out", "--journal", "elsewhere")
    assert elsewhere.exit_code == 2
    assert "belongs to another journal" in elsewhere.stderr
    assert stored() == {}
    assert batch("memory://in", "memory://out").exit_code == 0
    STORE.rm_file(f"/out/{OWNER}")
    taken = batch("memory://in", "memory://out", "--journal", "elsewhere", "--force")
    assert "1 made" in taken.stderr
    assert batch("memory://in", "memory://out").exit_code == 2, "now it is the other one's"


def test_the_journal_lies_where_it_is_said_to() -> None:
    fill(1)
    batch("memory://in", "memory://out")
    folder = journal_folder(path_of("memory://out"))
    assert folder.parent == Path.cwd() / "data/partway/batches"
    assert (folder / ".partway-batch.sqlite").is_file()
    batch("memory://in", "memory://other", "--journal", "books/other")
    assert Path("books/other/.partway-batch.sqlite").is_file()
    mixed = batch("memory://in", "memory://out", "--journal", "books/other")
    assert mixed.exit_code == 2
    assert "that journal is of memory:///other" in mixed.stderr
    refused = batch("in", "out", "--journal", "books")
    assert refused.exit_code == 2
    assert "keeps its own" in refused.stderr


def test_what_cannot_be_is_said() -> None:
    fill(1)
    for source, out, said in (
        ("memory://in", "nope://out", "Protocol not known"),
        ("memory://in", "memory://in", "lies where the results go"),
        ("memory://in/sub", "memory://in", "no pictures"),
        ("memory://in/*.png", "memory://in", "lies where the results go"),
        ("memory://nothing", "out", "no pictures in 'memory://nothing'"),
    ):
        done = batch(source, out)
        assert done.exit_code == 2, done.output
        assert said in done.stderr
    assert not Path("out").exists()


def test_without_a_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'partway\[remote\]' gcsfs"):
        remote("gs://bucket/in")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InvalidRequest, match=r"needs fsspec: pip install 'partway\[remote\]'$"):
        remote("s3://bucket/in")


def test_a_login_is_not_shown() -> None:
    done = batch("nope://me:secret@host/in", "out")
    assert done.exit_code == 2
    assert "secret" not in done.output + done.stderr


def test_folders_load_no_fsspec(place: Path) -> None:
    fill(1)
    script = (
        "import atexit, sys; from partway.interfaces.cli import cli\n"
        "atexit.register(lambda: print('fsspec' in sys.modules))\n"
        f"cli(['batch', 'in', 'file://{place}/out', *{EDIT!r}])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["False"], done.stderr
    assert set(hashes()) == {"00.png"}


def test_calls_of_a_store_do_not_grow_with_what_is_done() -> None:
    fill(12)
    shutil.move("in", "shelf-in")
    source, out = f"shelf://{Path.cwd()}/shelf-in", f"shelf://{Path.cwd()}/out"
    assert "12 made" in batch(source, out).stderr
    with breaking(0, "") as seen:
        assert "12 there already" in batch(source, out).stderr
    assert seen.count("find") == 1
    assert len(seen) <= 4, seen


def test_a_record_names_the_source_plainly() -> None:
    fill(1)
    assert batch("memory://in", "out", edit=EDIT[:-1]).exit_code == 0
    document = read_metadata("out/00.png").document
    assert document is not None
    assert document.files["source"][0].name == "00.png"


@pytest.mark.parametrize("kind", ["LOST", "DENIED"])
def test_every_failing_call_is_survived(kind: str) -> None:
    fill(2)
    assert batch("in", "expected").exit_code == 0
    out, at = f"shelf://{Path.cwd()}/out", 0
    while True:
        at += 1
        with breaking(at, kind) as seen:
            done = batch("in", out)
        if len(seen) < at:
            break
        assert done.exit_code in {2, 4}, (done.stderr, at, seen)
        assert done.exit_code == 2 or "the same command goes on from here" in done.stderr
        assert hashes().items() <= hashes("expected").items(), (at, seen)
        again = batch("in", out)
        assert again.exit_code == 0, (again.stderr, at, seen)
        assert hashes() == hashes("expected")
        assert not list(Path("out").rglob("*.tmp"))
        shutil.rmtree("out")
        shutil.rmtree("data")
    assert at > 10
    assert {"find", "half", "mv"} <= set(seen)


@pytest.mark.slow
def test_a_kill_at_every_call_loses_nothing() -> None:
    fill(1)
    assert batch("in", "expected").exit_code == 0
    out, at = f"shelf://{Path.cwd()}/out", 0
    with breaking(0, "") as seen:
        assert batch("in", out).exit_code == 0
    sites = range(1, len(seen) + 1) if FULL else [len(seen) - 1, len(seen)]
    assert seen[-2:] == ["half", "mv"]
    for at in sites:
        shutil.rmtree("out")
        shutil.rmtree("data")
        words = [sys.executable, "-m", "tests.jobs.stores", str(at), "KILL", "batch", "in", out]
        done = subprocess.run([*words, *EDIT], capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert hashes().items() <= hashes("expected").items()
        again = batch("in", out)
        assert again.exit_code == 0, again.stderr
        assert hashes() == hashes("expected")
        assert not list(Path("out").rglob("*.tmp"))


def test_names_lead_nowhere_else() -> None:
    fill(2)
    inputs = find("memory://in", path_of("memory://out"))
    first = inputs[0]
    assert (first.name, str(first.path)) == ("00.png", "memory:///in/00.png")
    for name, address in (
        ("../masks/a.png", "memory:///masks/a.png"),
        ("./a.png", "memory:///in/a.png"),
        ("/a.png", "memory:///in/a.png"),
        ("../../../a.png", "memory:///a.png"),
    ):
        assert str(path_of("memory://in") / name) == address


def test_a_folder_without_a_name_is_refused() -> None:
    """As a path, what lies in it would lead to the root of this machine's files."""
    fill(1)
    STORE.pipe_file("/in//01.png", picture(1))
    with pytest.raises(InvalidRequest, match=r"'/01\.png' in memory:///in has a folder without"):
        find("memory://in", path_of("out"))
    for line in ("memory://in//01.png", "memory://in/../../01.png", "memory://in/sub/../../x.png"):
        Path("list.txt").write_text(f"memory://in/00.png\n{line}\n")
        with pytest.raises(InvalidRequest, match="leads out of its folder"):
            find("list.txt", path_of("out"))
    assert [each.name for each in find("memory://in/*.png", path_of("out"))] == ["00.png"]


def test_an_archive_is_a_folder_too() -> None:
    fill(3)
    assert batch("in", "out").exit_code == 0
    with zipfile.ZipFile("in.zip", "w") as archive:
        for number in range(3):
            name = f"{'sub/' if number % 2 else ''}{number:02}.png"
            archive.write(f"in/{name}", name)
    assert "3 made" in batch("zip://::in.zip", "unpacked").stderr
    assert hashes("unpacked") == hashes()
    assert "2 made" in batch("zip://*.png::in.zip", "flat").stderr
