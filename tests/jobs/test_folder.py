"""Folders that are killed, filled up and fought over: every result whole, none lost, none twice."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.jobs.breaking import broken

from partway import images
from partway.denoiser import denoise
from partway.engine import Engine
from partway.executors.pool import Pool
from partway.executors.worker import in_thread
from partway.images import Picture
from partway.interfaces.cli import cli
from partway.jobs import journal
from partway.jobs.folder import AHEAD, FolderRun
from partway.jobs.inputs import find
from partway.jobs.items import Common, Item, Items, Writing
from partway.metadata.reading import read_metadata
from partway.request import EditRequest
from partway.result import EditResult

FULL = "PARTWAY_FULL" in os.environ
ROOT = Path(__file__).parent.parent.parent
EDIT = ("red, navy", "-m", "analytic", "--steps", "2", "-s", "0.5")


def batch(*words: str) -> Result:
    result = CliRunner().invoke(cli, ["batch", "in", "out", *EDIT, *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def fill(count: int, side: int = 12) -> None:
    rng = np.random.default_rng(1)
    Path("in/sub").mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = rng.integers(0, 256, (side + i % 3, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"in/{'sub/' if i % 2 else ''}{i:03}.png")


def pixels(file: str) -> NDArray[np.uint8]:
    with Image.open(file) as image:
        return np.asarray(image)


def hashes(folder: str = "out") -> dict[str, str]:
    files = Path(folder).rglob("*.png")
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def codes() -> dict[str, str]:
    with journal.looked_at(Path("out")) as book:
        return {row.name: row.code for row in book.rows() if row.code is not None}


def items(**fields: Any) -> list[Item]:
    common = Common(EditRequest(model="analytic", **fields))
    return [item for _, item in Items(find("in", Path("out")), common)]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture
def whole(place: Path) -> dict[str, str]:
    """What an uninterrupted run over the same pictures makes."""
    del place
    fill(16)
    assert batch().exit_code == 0
    made = hashes()
    assert len(made) == 16
    Path("out").rename("expected")
    return made


def test_the_same_command_makes_nothing_twice(whole: dict[str, str]) -> None:
    assert "16 made, 0 there already" in batch().stderr
    stamps = {f: f.stat().st_mtime_ns for f in Path("out").rglob("*.png")}
    assert "0 made, 16 there already" in batch().stderr
    assert {f: f.stat().st_mtime_ns for f in Path("out").rglob("*.png")} == stamps
    assert hashes() == whole


def test_what_changed_is_made_anew_and_nothing_else() -> None:
    fill(4)
    batch()
    before = hashes()
    Image.new("RGB", (9, 9), "green").save("in/000.png")
    Path("in/002.txt").write_text("gold")
    Path("out/sub/001.png").unlink()
    assert "3 made, 1 there already" in batch().stderr
    after = hashes()
    assert {name for name in before if before[name] != after[name]} == {"000.png", "002.png"}


def test_a_file_that_is_somebody_elses_is_left_alone() -> None:
    fill(2)
    Path("out").mkdir()
    Path("out/000.png").write_bytes(b"mine")
    done = batch()
    assert done.exit_code == 3
    assert codes() == {"000.png": "output_exists"}
    assert Path("out/000.png").read_bytes() == b"mine"
    assert batch("--force").exit_code == 0
    assert hashes()["000.png"] != hashlib.sha256(b"mine").hexdigest()
    Path("out/000.png").write_bytes(b"retouched by hand")
    assert batch("--steps", "3").exit_code == 3
    assert Path("out/000.png").read_bytes() == b"retouched by hand"


@pytest.mark.slow
@pytest.mark.parametrize("count", [1000 if FULL else 100])
def test_bad_files_are_reported_and_end_nothing(count: int) -> None:
    fill(count, side=8)
    files = sorted(Path("in").rglob("*.png"))
    picked: NDArray[np.int64] = np.random.default_rng(1).choice(
        count, count * 14 // 100, replace=False
    )
    bad = [files[int(i)] for i in picked.tolist()]
    for n, file in enumerate(bad):
        data = file.read_bytes()
        kinds = (b"", b"no picture", data[: len(data) // 2], b"\0" * 500)
        file.write_bytes(kinds[n % len(kinds)])
    names = {str(file.relative_to("in")) for file in bad}
    done = batch()
    assert done.exit_code == 3
    assert set(codes()) == names
    assert set(codes().values()) == {"unreadable_image"}
    assert set(hashes()) == {str(file.relative_to("in")) for file in files} - names
    assert done.stderr.count("error: ") == len(bad) + 1
    again = batch()
    assert again.exit_code == 3
    assert f"0 made, {count - len(bad)} there already, {len(bad)} failed" in again.stderr
    Image.new("RGB", (8, 8)).save(bad[0])
    assert f"1 made, {count - len(bad)} there" in batch("--retry-failed").stderr


def test_a_picture_that_vanishes_is_its_own_failure() -> None:
    fill(3)
    found = items(prompt="red", steps=1)
    Path("in/000.png").unlink()
    told: dict[str, object] = {}

    def hear(item: Item, outcome: object) -> None:
        told[item.name] = outcome

    with journal.opened(Path("out")) as book:
        assert FolderRun(Path("out"), book, Writing(), hear).run(found, threading.Event())
    assert len(told) == 3
    assert set(codes()) == {"000.png"}


def test_two_runs_on_one_folder_refuse_each_other() -> None:
    fill(1)
    with journal.opened(Path("out")):
        done = batch()
        assert done.exit_code == 2
        assert "another run works on out" in done.stderr
    assert batch().exit_code == 0


def test_masks_lie_on_their_pictures_and_their_change_is_seen() -> None:
    fill(2, side=24)
    for name in ("000.png", "sub/001.png"):
        with Image.open(f"in/{name}") as image:
            mask = Image.new("L", image.size)
        mask.paste(255, (0, 0, 12, mask.height))
        Path(f"masks/{name}").parent.mkdir(parents=True, exist_ok=True)
        mask.save(f"masks/{name}")
    assert batch("--mask", "masks", "--feather", "0").exit_code == 0
    for name in ("000.png", "sub/001.png"):
        made, source = pixels(f"out/{name}"), pixels(f"in/{name}")
        assert (made[:, 12:] == source[:, 12:]).all()
        assert (made[:, :12] != source[:, :12]).any()
    assert "0 made, 2 there" in batch("--mask", "masks", "--feather", "0").stderr
    source = pixels("in/000.png")
    Image.new("L", source.shape[1::-1], 255).save("masks/000.png")
    assert "1 made, 1 there" in batch("--mask", "masks", "--feather", "0").stderr
    assert (pixels("out/000.png")[:, 12:] != source[:, 12:]).any()
    Path("masks/sub/001.png").unlink()
    missing = batch("--mask", "masks", "--feather", "0")
    assert missing.exit_code == 3
    assert "masks has nothing for sub/001.png" in missing.stderr
    assert batch("--mask", "masks", "--map", "masks").exit_code == 2
    assert batch("--mask", "nowhere").exit_code == 2


def test_what_a_file_says_it_was_made_with_is_taken_where_asked() -> None:
    fill(1)
    first = CliRunner().invoke(cli, ["in/000.png", "gold", "-m", "analytic", "--steps", "4", "-s",
                                     "0.3", "--seed", "7", "-o", "in/made.png"])  # fmt: skip
    assert first.exit_code == 0, first.output
    block = ("green\nNegative prompt: dull\nSteps: 12, Sampler: Euler a, CFG scale: 3, "
             "Seed: 42, Size: 8x8, Denoising strength: 0.6, Version: v1.10.1")  # fmt: skip
    info = PngInfo()
    info.add_text("parameters", block)
    Image.new("RGB", (8, 8), "gray").save("in/webui.png", pnginfo=info)
    done = CliRunner().invoke(cli, ["batch", "in", "out", "red", "-m", "analytic", "--embedded",
                                    "all", "--seed", "3", "-s", "subtle"])  # fmt: skip
    assert done.exit_code == 0, done.output
    found = {n: read_metadata(f"out/{n}.png").document for n in ("000", "made", "webui")}
    asked = {n: dict(d.request) for n, d in found.items() if d is not None}
    names = ("prompt", "seed", "dial", "steps", "full_steps", "sampler")
    assert [asked["made"][n] for n in names] == ["gold", 8, "standard", 4, None, "dpmpp_2m"]
    assert asked["made"]["strength"] == 0.3
    assert [asked["webui"][n] for n in names] == ["green", 42, "sd1", None, 12, "euler_ancestral"]
    assert [asked["webui"][n] for n in ("strength", "guidance_scale")] == [0.6, 3.0]
    assert [asked["000"][n] for n in ("prompt", "seed", "dial")] == ["red", 3, "standard"]
    Path("in/webui.txt").write_text("blue")
    again = CliRunner().invoke(cli, ["batch", "in", "out", "red", "-m", "analytic", "--embedded",
                                     "prompt,seed", "--seed", "3", "-s", "subtle"])  # fmt: skip
    assert again.exit_code == 0, again.output
    document = read_metadata("out/webui.png").document
    assert document is not None
    assert [document.request[n] for n in ("prompt", "seed", "dial")] == ["blue", 42, "standard"]
    wrong = CliRunner().invoke(cli, ["batch", "in", "out", "--embedded", "model"])
    assert wrong.exit_code == 2
    assert "unknown field of --embedded 'model'" in wrong.stderr


def test_a_word_beside_a_picture_is_its_models_number() -> None:
    fill(2)
    Path("in/000.json").write_text('{"strength": "subtle"}')
    assert batch().exit_code == 0
    for name, strength in (("000.png", 0.3), ("sub/001.png", 0.5)):
        document = read_metadata(f"out/{name}").document
        assert document is not None
        assert document.request["strength"] == strength


def test_plan_says_what_would_be_done_and_writes_nothing() -> None:
    fill(3)
    done = batch("--plan")
    assert "3 to make (time unknown before a first run), 0 there" in done.stdout
    assert not Path("out").exists()
    batch()
    Path("out/000.png").unlink()
    assert "1 to make (about" in batch("--plan").stdout


def test_interrupted_it_says_how_to_go_on(whole: dict[str, str]) -> None:
    cancel = threading.Event()

    def hear(item: Item, outcome: object) -> None:
        del item, outcome
        cancel.set()

    found = items(prompt="red, navy", steps=2, strength=0.5)
    with journal.opened(Path("out")) as book:
        run = FolderRun(Path("out"), book, Writing(), hear)
        assert not run.run(found, cancel)
    assert 0 < len(hashes()) < 16
    assert hashes().items() <= whole.items()
    assert "16 made" not in batch().stderr
    assert hashes() == whole


def test_memory_bounds_what_is_in_flight() -> None:
    fill(12, side=40)
    told: list[str] = []
    in_flight: list[int] = []

    class Counting(Engine):
        def decoded(self, data: bytes, name: str = "the source") -> Picture:
            if threading.current_thread() is not threading.main_thread():
                in_flight.append(1 + len(in_flight) - len(told))
            return super().decoded(data, name)

    def hear(item: Item, outcome: object) -> None:
        del outcome
        told.append(item.name)

    found = items(prompt="red", steps=4)
    with journal.opened(Path("out")) as book:
        run = FolderRun(Path("out"), book, Writing(), hear, engine=Counting(), memory=1)
        assert run.run(found, threading.Event())
    assert len(hashes()) == 12
    assert len(in_flight) == 12
    assert max(in_flight) <= AHEAD + 1


@pytest.mark.parametrize(("words", "least", "most"), [
    ((), 9, 16),
    (("--batch-size", "3"), 3, 3),
    (("--batch-size", "24"), 17, 24),
])  # fmt: skip
def test_a_network_call_has_as_many_rows_as_is_said(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], least: int, most: int
) -> None:
    Path("in").mkdir()
    for number in range(24):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(f"in/{number:02}.png")
    rows: list[int] = []

    def counted(network: Any, asked: Sequence[Any]) -> Any:
        rows.append(len(asked))
        return denoise(network, asked)

    monkeypatch.setattr("partway.batcher.denoise", counted)
    assert batch(*words, "--steps", "60").exit_code == 0
    assert least <= max(rows) <= most


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ENOSPC", "EIO", "EACCES", "EMFILE"])
def test_every_failing_file_operation_is_survived(kind: str) -> None:
    fill(10 if FULL else 1)
    batch()
    Path("out").rename("expected")
    expected, at, sites = hashes("expected"), 0, set[str]()
    while True:
        at += 1
        with broken(at, kind) as seen:
            done = batch()
        sites |= set(seen)
        if len(seen) < at:
            break
        # A source that cannot be read is that picture's failure, unless the machine is at fault;
        # and so is a name that may not be written.
        of_picture = done.exit_code == 3
        assert not of_picture or kind == "EACCES" or (seen[at - 1] == "read" and kind != "EMFILE")
        assert done.exit_code in {0, 2, 3, 4}, (done.stderr, at, seen)
        if done.exit_code == 4:
            assert "the same command goes on from here" in done.stderr
        assert hashes().items() <= expected.items(), (at, seen)
        assert batch(*(["--retry-failed"] if of_picture else [])).exit_code == 0, (at, seen)
        assert hashes() == expected
        assert not list(Path("out").rglob("*.tmp"))
        shutil.rmtree("out")
    # A link that fails is a file system without links: the name is reserved, then replaced.
    assert sites == {"mkdir", "read", "open", "fsync", "link", "put", "replace"}
    assert at > 7 * len(expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ENOSPC", "EACCES"])
def test_a_failing_replacement_leaves_the_earlier_result(kind: str) -> None:
    fill(1)
    batch()
    earlier, at = hashes(), 0
    shutil.copytree("out", "before")
    batch("--steps", "3")
    later = hashes()
    while True:
        at += 1
        shutil.rmtree("out")
        shutil.copytree("before", "out")
        with broken(at, kind) as seen:
            done = batch("--steps", "3")
        if len(seen) < at:
            break
        assert hashes() in (earlier, later), (at, seen)
        assert done.exit_code in {0, 2, 3, 4}
        assert batch("--steps", "3", "--retry-failed").exit_code == 0, (at, seen)
        assert hashes() == later
    assert "replace" in seen


def test_a_name_is_given_only_to_what_is_on_disk() -> None:
    """Announced in the journal, written, flushed, named, the folder flushed, confirmed."""
    fill(1)
    with broken(0, "EIO") as seen:
        assert batch().exit_code == 0
    assert [name for name in seen if name not in {"mkdir", "read"}] == [
        "put", "open", "fsync", "link", "fsync", "put"
    ]  # fmt: skip


def test_what_the_journal_was_told_is_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[sqlite3.Connection] = []
    real = sqlite3.connect

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        made.append(real(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with journal.opened(Path("out")):
        assert made[0].execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a file system of its own")
def test_a_full_disk_stops_the_job_and_tears_nothing() -> None:
    words = ["unshare", "-rm", sys.executable, "-m", "tests.jobs.filling"]
    if subprocess.run(["unshare", "-rm", "true"]).returncode != 0:
        pytest.skip("no file system of its own here")
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "fresh stopped, overwriting stopped" in done.stdout


@pytest.mark.slow
def test_two_runs_started_at_once_share_no_work() -> None:
    fill(4)
    words = [sys.executable, "-m", "tests.jobs.racing"]
    pair = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    refused = 0
    for number in range(50):
        for each in pair:
            assert each.stdin is not None
            each.stdin.write(f"out-{number}\n")
            each.stdin.flush()
        said = [each.stdout.readline().strip() for each in pair if each.stdout is not None]
        made = [int(word.removeprefix("made ")) for word in said if word.startswith("made ")]
        refused += said.count("in_use")
        assert len(made) + said.count("in_use") == 2, said
        assert sum(made) == 4, said
        assert len(hashes(f"out-{number}")) == 4
    for each in pair:
        each.communicate()
    assert refused > 0, "they never met"


@pytest.mark.slow
def test_a_kill_at_every_file_operation_loses_nothing() -> None:
    count = 3 if FULL else 1  # earlier results in the way of a kill: see the random ones
    fill(count)
    batch()
    Path("out").rename("expected")
    expected, at = hashes("expected"), 0
    while True:
        at += 1
        words = [sys.executable, "-m", "tests.jobs.breaking", str(at), "KILL", "batch"]
        done = subprocess.run([*words, "in", "out", *EDIT], capture_output=True, text=True)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        settle(expected)
        Path("out").rename(f"out-{at}")
    assert at > 7 * count  # read, announce, open, flush, name, flush the folder, confirm


def settle(expected: dict[str, str]) -> None:
    """After a kill: what is visible is whole, and the same command makes the rest, once."""
    assert hashes().items() <= expected.items(), "a result is not whole"
    there = len(hashes())
    again = batch()
    assert again.exit_code == 0, again.stderr
    made = int(again.stderr.split(" made")[0].rsplit(" ", 1)[1])
    assert made == len(expected) - there, "a result that was there was made again"
    assert hashes() == expected
    assert not list(Path("out").rglob("*.tmp"))


@pytest.mark.slow
def test_a_writer_that_saves_directly_would_be_noticed() -> None:
    fill(1)
    batch()
    Path("out").rename("expected")
    with broken(0, "KILL") as seen:
        batch()
    shutil.rmtree("out")
    flush = seen.index("fsync") + 1
    words = [sys.executable, "-m", "tests.jobs.breaking", str(flush), "DIRECT", "batch"]
    done = subprocess.run([*words, "in", "out", *EDIT], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(hashes()) == 1
    with pytest.raises(AssertionError, match="not whole"):
        settle(hashes("expected"))


@pytest.mark.slow
def test_kill_at_random_moments_loses_nothing(whole: dict[str, str]) -> None:
    words = [sys.executable, "-m", "partway", "batch", "in", "out", *EDIT]
    rng, landed, trials, midway = np.random.default_rng(7), 0, 0, 0
    sources = hashes("in")
    while landed < (200 if FULL else 20):
        trials += 1
        assert trials < 2000
        with subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True) as child:
            # Half of the kills fall between the start and the first result, half after it.
            begun = "**/*.png" if trials % 2 else ".partway-batch.sqlite"
            while child.poll() is None and not any(Path("out").glob(begun)):
                time.sleep(0.002)
            time.sleep(rng.uniform(0.0, 0.3))
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                landed += 1
        midway += 0 < len(hashes()) < len(whole)
        settle(whole)
        Path("out").rename(f"out-{trials}")
    assert midway > landed // 4, "too few kills fell into the work"
    assert hashes("in") == sources


@pytest.mark.skipif(not FULL, reason="20 runs killed five times each: PARTWAY_FULL")
def test_killed_again_and_again_it_still_ends(whole: dict[str, str]) -> None:
    words = [sys.executable, "-m", "partway", "batch", "in", "out", *EDIT]
    rng = np.random.default_rng(11)
    for trial in range(20):
        kills = 0
        while kills < 5:
            with subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True) as it:
                while it.poll() is None and not Path("out/.partway-batch.sqlite").exists():
                    time.sleep(0.002)
                time.sleep(rng.uniform(0.6, 1.2) if kills else rng.uniform(0.0, 0.2))
                if it.poll() is not None:
                    break  # it was faster
                os.killpg(it.pid, signal.SIGKILL)
                kills += 1
            assert hashes().items() <= whole.items()
        settle(whole)
        Path("out").rename(f"out-{trial}")


@pytest.mark.slow
def test_several_workers_make_the_files_of_one_and_a_killed_one_loses_nothing() -> None:
    fill(16)
    assert batch("--exact").exit_code == 0
    Path("out").rename("expected")
    words = [sys.executable, "-m", "partway", "batch", "in", "out", *EDIT, "--exact",
             "--devices", "cpu,cpu"]  # fmt: skip
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as child:
        while child.poll() is None and not any(Path("out").glob("**/*.png")):
            time.sleep(0.005)
        workers = children(child.pid)
        for worker in workers[:1]:
            os.kill(worker, signal.SIGKILL)
        assert child.stderr is not None
        said = child.stderr.read()
    assert child.returncode == 0, said
    assert len(workers) == 2, said
    assert "16 made" in said
    assert hashes() == hashes("expected")
    assert "16 there already" in batch("--exact").stderr
    assert "16 made" in batch().stderr, "--exact is a setting that decides the bytes"


def no_worker() -> Engine:
    raise RuntimeError("no such device")


def test_where_no_worker_comes_up_the_job_stops_and_blames_no_picture() -> None:
    fill(20)  # more than run at once
    live = partial(Pool, [no_worker], in_thread)
    with journal.opened(Path("out")) as book:
        folder = FolderRun(Path("out"), book, Writing(), lambda _, __: None, live=live)
        with pytest.raises(journal.Stopped, match="goes on from here"):
            folder.run(items(), threading.Event())
        assert [row for row in book.rows() if row.status == "failed"] == []


def children(parent: int) -> list[int]:
    """The worker processes of a run."""
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (
                int(place.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
                and "spawn_main" in place.joinpath("cmdline").read_text()
            ):
                found.append(int(place.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def test_devices_that_are_not_there_are_said() -> None:
    fill(1)
    for devices, said in (
        ("tpu", "device is 'tpu', want cpu"),
        ("cpu,cpu:1", "there is no device 'cpu:1'"),
        (",", "want some; try cuda:0,cuda:1"),
        ("cpu --executor ray", "with --executor ray give --gpus"),
        ("cpu --workers 2:4", "--workers is for Ray"),
    ):
        done = batch("--devices", *devices.split())
        assert done.exit_code == 2
        assert said in done.stderr
    assert not Path("out").exists()


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(1)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    monkeypatch.setitem(sys.modules, "ray", None)
    done = batch("--executor", "ray")
    assert done.exit_code == 2
    assert "pip install 'partway[ray]'" in done.stderr
    assert batch().exit_code == 0, "and the folder is free"


def test_a_damaged_journal_is_said() -> None:
    fill(1)
    Path("out").mkdir()
    Path("out/.partway-batch.sqlite").write_bytes(b"no database" * 100)
    done = batch()
    assert done.exit_code == 2
    assert "is no journal that can be used" in done.stderr
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect("out/.partway-batch.sqlite").execute("SELECT * FROM results")
    Path("out/.partway-batch.sqlite").unlink()
    with sqlite3.connect("out/.partway-batch.sqlite") as base:
        base.execute("CREATE TABLE results (name, PRIMARY KEY (name))")
    done = batch()
    assert done.exit_code == 2
    assert "is no journal that can be used" in done.stderr


@pytest.mark.parametrize("first", ["whole", "cut off"])
def test_a_source_that_changes_while_it_is_read_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    fill(1)
    file = Path("in/000.png")
    if first == "cut off":
        file.write_bytes(file.read_bytes()[:50])
    real = images.read_bytes

    def read(source: str | Path | Image.Image) -> bytes:
        data = real(source)
        if source == file:
            Image.new("RGB", (9, 9), "green").save(file)
        return data

    with monkeypatch.context() as patch:
        patch.setattr("partway.images.read_bytes", read)
        assert batch().exit_code == (0 if first == "whole" else 3)
    assert "1 made" in batch().stderr


def test_what_fails_one_name_ends_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(3)
    Path("in/sub/deep").mkdir()
    Path("in/000.png").rename("in/sub/deep/000.png")
    Path("out").mkdir()
    Path("out/sub").write_text("a file where a folder would be")
    Path("in/003.png").write_bytes(Path("in/002.png").read_bytes())
    real = EditResult.encode

    def encode(self: EditResult, *args: Any, **options: Any) -> Any:
        if self.names.source == "in/003.png":
            raise OSError("a library's own error")
        return real(self, *args, **options)

    monkeypatch.setattr(EditResult, "encode", encode)
    done = batch()
    assert done.exit_code == 3, done.stderr
    assert "1 made, 0 there already, 3 failed" in done.stderr
    assert codes()["003.png"] == "model_error"
    assert set(hashes()) == {"002.png"}
