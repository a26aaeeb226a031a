"""`partway edit`: what is written where, what is said, and with which exit code."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from partway.errors import ModelError
from partway.interfaces.cli import report as reporting

if TYPE_CHECKING:
    from collections.abc import Generator

    from .conftest import Run

FAST = ("-m", "analytic", "--steps", "2")
SCHEMA: dict[str, type | tuple[type, ...]] = {
    "path": str,
    "source": (str, type(None)),
    "seed": int,
    "strength": float,
    "dial": str,
    "noise_fraction": float,
    "evaluations": int,
    "seconds": float,
    "kept": (dict, type(None)),
    "model": (str, type(None)),
    "precision": str,
    "mode": str,
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("args", "files"),
    [
        (["icon.png", "red"], {"icon-s0.5.png"}),
        (["edit", "icon.png", "red"], {"icon-s0.5.png"}),
        (["icon.png", "red", "-s", "0.30"], {"icon-s0.3.png"}),
        (["-s", "0.3", "icon.png", "red"], {"icon-s0.3.png"}),
        (["icon.png", "-p", "red"], {"icon-s0.5.png"}),
        (["icon.png", "red", "-o", "new.jpg"], {"new.jpg"}),
        (["icon.png", "red", "-o", "out/"], {"out/icon-s0.5.png"}),
        (["icon.png", "red", "-o", "a/b/c.png"], {"a/b/c.png"}),
        (["icon.png", "red", "-b", "2"], {"icon-s0.5-seed1.png", "icon-s0.5-seed2.png"}),
        (
            ["icon.png", "red", "--seed", "7", "--seed", "9"],
            {"icon-s0.5-seed7.png", "icon-s0.5-seed9.png"},
        ),
        (
            ["icon.png", "red", "-b", "2", "-o", "{n}-{stem}-{model}-{seed}-{strength}.png"],
            {"1-icon-analytic-1-0.5.png", "2-icon-analytic-2-0.5.png"},
        ),
        (["icon.png", "other.png", "-p", "red"], {"icon-s0.5.png", "other-s0.5.png"}),
        (["-p", "red owl!"], {"red-owl.png"}),
        (["-p", "red", "-b", "2"], {"red-seed1.png", "red-seed2.png"}),
    ],
)
def test_names_of_results(args: list[str], files: set[str], run: Run, work: Path) -> None:
    (work / "other.png").write_bytes((work / "icon.png").read_bytes())
    before = {path for path in work.rglob("*") if path.is_file()}
    result = run(*args, *FAST)
    assert result.exit_code == 0, result.stderr
    after = {path for path in work.rglob("*") if path.is_file()}
    assert {str(path.relative_to(work)) for path in after - before} == files
    for path in after - before:
        assert run.size(path) in {(96, 64), (64, 64)}


def test_default_names_are_numbered(run: Run, work: Path) -> None:
    first = run("icon.png", "red", *FAST)
    kept = run.pixels("icon-s0.5.png")
    for _ in range(2):
        run("icon.png", "blue", *FAST)
    assert first.exit_code == 0
    assert names(work) == {
        "icon.png",
        "icon-s0.5.png",
        "icon-s0.5-2.png",
        "icon-s0.5-3.png",
    }
    assert np.array_equal(run.pixels("icon-s0.5.png"), kept)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-o", "icon.png"], "icon.png exists: choose another name or add --force"),
        (["-o", "{stem}.png"], "icon.png exists"),
        (["-o", "new"], "has no suffix that can be written"),
        (["-o", "new.xyz"], "has no suffix that can be written"),
        (["-o", "{size}.png"], "-o has {size}, known are"),
        (["-o", "{stem.png"], "is no template"),
        (["-o", "icon.png/new.png"], "icon.png is no folder"),
        (["-o", "new.png", "-b", "2"], "2 pictures cannot all be 'new.png'"),
        (["-o", "-", "-b", "2"], "stdout takes one picture"),
        (["-o", "-", "--json"], "not together with --json"),
    ],
)
def test_outputs_are_refused_before_computing(
    args: list[str], message: str, run: Run, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_engine(**_: Any) -> None:
        raise AssertionError("computed before the output was checked")

    monkeypatch.setattr("partway.interfaces.cli.running.Engine", no_engine)
    before = (work / "icon.png").read_bytes()
    result = run("icon.png", "red", *FAST, *args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert names(work) == {"icon.png"}
    assert (work / "icon.png").read_bytes() == before


def test_force_overwrites(run: Run, work: Path) -> None:
    (work / "new.png").write_text("old")
    assert run("icon.png", "red", *FAST, "-o", "new.png", "--force").exit_code == 0
    assert run.size("new.png") == (96, 64)


def test_json_lines(run: Run, work: Path) -> None:
    result = run("icon.png", "red", *FAST, "--json", "-b", "2", "-s", "0.45")
    rows = run.lines(result)
    assert [row["seed"] for row in rows] == [1, 2]
    for row in rows:
        assert set(row) == set(SCHEMA)
        for key, kind in SCHEMA.items():
            assert isinstance(row[key], kind), key
        assert set(row["kept"]) == {"structure", "color"}
        assert (work / row["path"]).is_file()
        assert row["strength"] == 0.45
        assert row["noise_fraction"] == pytest.approx(0.578, abs=1e-3)
        assert (row["evaluations"], row["mode"], row["model"]) == (2, "shared", "analytic")


def test_one_picture_runs_exact_and_without_source_nothing_is_kept(run: Run, work: Path) -> None:
    del work
    assert run.lines(run("icon.png", "red", *FAST, "--json"))[0]["mode"] == "exact"
    row = run.lines(run("-p", "red", *FAST, "--json", "--size", "20x30"))[0]
    assert (row["source"], row["kept"], row["strength"]) == (None, None, 1.0)
    assert run.size(row["path"]) == (20, 30)


def test_the_line_after_a_run(run: Run, work: Path) -> None:
    del work
    result = run("icon.png", "red", "-m", "analytic", "-s", "0.45")
    assert result.stdout == ""
    assert result.stderr.startswith(
        "icon-s0.45.png · 0.45 standard: 12 of 20 steps, "
        "the first 8 replaced by your picture (58 % noise), kept "
    )
    assert result.stderr.endswith(" s\n")
    assert "\x1b" not in result.stderr


def test_quiet_says_nothing(run: Run, work: Path) -> None:
    del work
    result = run("icon.png", "", *FAST, "-s", "0.99", "-q")
    assert (result.exit_code, result.output) == (0, "")


def test_strength_0_gives_identical_pixels_and_loads_no_model(
    run: Run, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partway.engine.load_family", None)
    result = run("icon.png", "cat face, 3d", "-s", "0", "--json")
    assert np.array_equal(run.pixels("icon-s0.png"), run.pixels("icon.png"))
    row = run.lines(result)[0]
    assert (row["evaluations"], row["model"], row["kept"]["structure"]) == (0, None, 1.0)
    assert "0 standard: your picture, unchanged" in result.stderr
    assert names(work) == {"icon.png", "icon-s0.png"}


def test_strength_1_equals_text_to_image(run: Run, work: Path) -> None:
    del work
    run("icon.png", "red", *FAST, "-s", "1", "-o", "a.png")
    run("-p", "red", *FAST, "--size", "96x64", "-o", "b.png")
    assert np.array_equal(run.pixels("a.png"), run.pixels("b.png"))


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["icon.png", "red", "-s", "0.96"], "the source is nearly ignored; try 0.75"),
        (["icon.png", ""], "the prompt is empty"),
        (["icon.png"], "the prompt is empty"),
        (["icon.png", "red", "-s", "0.2"], "low strength keeps structure"),
        (["icon.png", "remove the red box"], "strength changes the whole picture"),
        (["-p", "red", "-s", "0.3"], "no source: strength has no effect"),
    ],
)
def test_hints_go_to_stderr_and_block_nothing(
    args: list[str], hint: str, run: Run, work: Path
) -> None:
    del work
    result = run(*args, *FAST, "--json")
    assert result.exit_code == 0
    assert result.stderr.count("hint: ") == 1
    assert f"hint: {hint}" in result.stderr
    assert len(run.lines(result)) == 1


def test_unknown_words_are_named_with_the_nearest(run: Run, work: Path) -> None:
    del work
    result = run("icon.png", "kitten dragonn, 3d", "--dry-run")
    assert 'hint: pocket does not know "dragonn" (nearest: dragon' in result.stderr


def test_one_bad_source_stops_no_other(run: Run, work: Path) -> None:
    (work / "bad.png").write_text("no picture")
    result = run("icon.png", "bad.png", "missing.png", "-p", "red", *FAST)
    assert result.exit_code == 2
    assert "icon-s0.5.png" in names(work)
    assert "error: bad.png is no picture" in result.stderr
    assert "error: missing.png cannot be read" in result.stderr
    assert result.stderr.endswith("error: 2 of 3 pictures not written\n")


def test_a_failing_model_ends_with_1(run: Run, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ModelError("the network is gone")

    monkeypatch.setattr("partway.engine.load_family", broken)
    result = run("icon.png", "red", *FAST)
    assert result.exit_code == 1
    assert result.stderr == "error: the network is gone\n"
    assert names(work) == {"icon.png"}
    (work / "other.png").write_bytes((work / "icon.png").read_bytes())
    several = run("icon.png", "other.png", "missing.png", "-p", "red", *FAST)
    assert several.exit_code == 1
    assert "error: other.png: the network is gone\n" in several.stderr


def test_a_photograph_is_refused_on_pocket(run: Run, work: Path) -> None:
    noise = np.random.RandomState(0).randint(0, 256, (120, 160, 3)).astype(np.uint8)
    Image.fromarray(noise).save("room.png")
    result = run("room.png", "cat face, 3d")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: room.png looks like a photograph")
    assert "-m pocket (anyway)" in result.stderr
    assert names(work) == {"icon.png", "room.png"}
    assert run("room.png", "cat face, 3d", "--dry-run", "-m", "pocket").exit_code == 0


def test_stdin_and_stdout(run: Run, work: Path) -> None:
    data = (work / "icon.png").read_bytes()
    result = run("-", "red", *FAST, "-o", "-", stdin=data)
    assert result.exit_code == 0
    assert run.size(result.stdout_bytes) == (96, 64)
    assert names(work) == {"icon.png"}
    assert run("-", "red", *FAST, stdin=data).exit_code == 0
    assert np.array_equal(run.pixels("stdin-s0.5.png"), run.pixels(result.stdout_bytes))


@pytest.mark.parametrize(
    ("word", "stdin"), [("@words.txt", None), ("-", b"red owl\n"), ("red owl", None)]
)
def test_prompts_from_anywhere(word: str, stdin: bytes | None, run: Run, work: Path) -> None:
    (work / "words.txt").write_bytes(b"\xef\xbb\xbfred owl\r\n")
    assert run("-p", word, *FAST, stdin=stdin).exit_code == 0
    assert "red-owl.png" in names(work)


def test_settings_choose_the_model(run: Run, own_home: Path, work: Path) -> None:
    del own_home
    Path("c.toml").write_text('model = "analytic"')
    os.environ["PARTWAY_CONFIG"] = "c.toml"
    try:
        row = run.lines(run("icon.png", "red", "--steps", "1", "--json"))[0]
        named = run.lines(run("icon.png", "red", "--dry-run", "--json", "-m", "pocket"))[0]
        Path("c.toml").write_text("model = ")
        broken = run("icon.png", "red")
    finally:
        del os.environ["PARTWAY_CONFIG"]
    assert row["model"] == "analytic"
    assert named["model"] == "pocket"
    assert broken.exit_code == 2
    assert "not valid TOML" in broken.stderr
    assert "icon-s0.5.png" in names(work)


def test_a_random_seed_is_said(run: Run, work: Path) -> None:
    del work
    rows = [run.lines(run("icon.png", "red", *FAST, "--seed", "random", "--json")) for _ in "ab"]
    assert rows[0][0]["seed"] != rows[1][0]["seed"]


def test_dry_run_writes_nothing(run: Run, work: Path) -> None:
    result = run("icon.png", "cat face, 3d", "-s", "0.45", "--dry-run", "-b", "2")
    assert result.exit_code == 0
    assert result.stdout.startswith("would write icon-s0.45-seed1.png · 0.45 standard: ")
    assert "pocket, seed 2" in result.stdout
    assert names(work) == {"icon.png"}


def test_guidance_has_two_names(run: Run, work: Path) -> None:
    del work
    for option in ("--cfg-scale", "--guidance"):
        assert run("icon.png", "red", *FAST, option, "2", "-o", f"{option}.png").exit_code == 0
    assert np.array_equal(run.pixels("--cfg-scale.png"), run.pixels("--guidance.png"))


@pytest.mark.parametrize("finished", [0, 1])
def test_ctrl_c_leaves_nothing_half_written(
    finished: int, run: Run, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    handler = signal.getsignal(signal.SIGINT)

    class Interrupting(reporting.Reporter):
        def progress(self) -> Any:
            from contextlib import contextmanager

            @contextmanager
            def listening() -> Generator[Any]:
                def listen(event: Any) -> None:
                    seen.append(type(event).__name__)
                    if seen.count("Done") == finished and seen[-1] == "Step":
                        os.kill(os.getpid(), signal.SIGINT)

                yield listen

            return listening()

    monkeypatch.setattr("partway.interfaces.cli.edit.Reporter", Interrupting)
    sources = ["icon.png"]
    if finished:  # one that is done at once, and one that is interrupted
        (work / "big.png").write_bytes((work / "icon.png").read_bytes())
        sources.append("big.png")
        monkeypatch.setattr("partway.interfaces.cli.running.MAX_SHARED_PIXELS", 1)
    result = run(*sources, "-p", "red", "-m", "analytic", "--steps", "50" if not finished else "2")
    assert result.exit_code == 130
    assert f"interrupted: {finished} of {len(sources)} pictures finished" in result.stderr
    assert len([name for name in names(work) if "-s0.5" in name]) == finished
    assert not [name for name in names(work) if name.endswith(".tmp")]
    steps_after = seen[::-1].index("Step") if "Step" in seen else 0
    assert steps_after <= 1
    assert signal.getsignal(signal.SIGINT) is handler


def test_pocket_edits_a_picture(run: Run, work: Path) -> None:
    result = run("icon.png", "cat face, 3d", "-s", "0.3", "--json")
    assert result.exit_code == 0, result.stderr
    row = json.loads(result.stdout)
    assert row["model"] == "pocket"
    assert row["kept"]["structure"] > 0.5
    assert run.size(work / row["path"]) == (96, 64)


def photo(path: Path) -> None:
    """A JPEG with an author and a place."""
    exif = Image.Exif()
    exif[0x013B] = "an artist"
    exif[0x8825] = {1: "N", 2: (48.0, 12.0, 0.0)}
    Image.radial_gradient("L").convert("RGB").save(path, exif=exif, dpi=(300, 300))


def place_in(path: Path) -> object:
    with Image.open(path) as image:
        assert image.getexif()[0x013B] == "an artist"
        return image.getexif().get_ifd(0x8825).get(2)


@pytest.mark.parametrize("strength", ["0", "0.4"])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_place_goes_on_only_where_asked(strength: str, suffix: str, run: Run, work: Path) -> None:
    photo(work / "photo.jpg")
    asked = ("photo.jpg", "red", "-s", strength)
    for name, options in (("without", ()), ("with", ("--keep-gps",))):
        done = run(*asked, *FAST, *options, "-o", f"{name}.{suffix}")
        assert done.exit_code == 0, done.output
    assert place_in(work / f"with.{suffix}") == (48.0, 12.0, 0.0)
    assert place_in(work / f"without.{suffix}") is None


def test_strength_zero_copies_a_jpeg(run: Run, work: Path) -> None:
    Image.radial_gradient("L").convert("RGB").save(work / "a.jpg", quality=60)
    assert run("a.jpg", "red", "-s", "0", "-o", "b.jpg").exit_code == 0
    assert (work / "b.jpg").read_bytes() == (work / "a.jpg").read_bytes()
    assert (
        run("a.jpg", "red", "-s", "0", "--quality", "20", "--no-metadata", "-o", "c.jpg").exit_code
        == 0
    )
    assert (work / "c.jpg").stat().st_size < (work / "a.jpg").stat().st_size


@pytest.mark.parametrize(
    ("quality", "file", "says"),
    [("0", "b.jpg", "want 1 (smallest file) to 100"), ("80", "b.png", "PNG keeps every pixel")],
)
def test_a_quality_nothing_has_is_refused(
    quality: str, file: str, says: str, run: Run, work: Path
) -> None:
    done = run("icon.png", "red", "--quality", quality, "-o", file)
    assert done.exit_code == 2
    assert says in " ".join(done.output.split())
    assert not (work / file).exists()
