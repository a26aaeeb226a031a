"""`partway plan` and `partway models`."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

import pytest
from tests.families import tiny

if TYPE_CHECKING:
    from .conftest import Run

KEYS = {
    "strength",
    "dial",
    "noise_fraction",
    "alpha",
    "sigma",
    "evaluations",
    "levels",
    "kappa",
    "model",
}


@pytest.mark.parametrize(
    ("args", "noise", "evaluations"),
    [
        (["-s", "0.45", "--steps", "20", "--dial", "sd1"], 0.5784, 20),
        (["-s", "0.45", "--full-steps", "20", "--dial", "sd1"], 0.5784, 12),
        (["-s", "0.5", "--dial", "noise", "--steps", "1"], 0.5, 1),
        (["-s", "0"], 0.0, 0),
        (["-s", "1", "--steps", "7", "--spacing", "karras"], 1.0, 7),
        (["-s", "0.5", "--steps", "4", "--sampler", "dpmpp_2m", "--dial", "sd1"], 0.6177, 4),
    ],
)
def test_plan_as_json(args: list[str], noise: float, evaluations: int, run: Run) -> None:
    result = run("plan", *args, "-m", "analytic", "--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert set(facts) == KEYS
    assert facts["noise_fraction"] == pytest.approx(noise, abs=1e-3)
    assert facts["evaluations"] == evaluations == len(facts["levels"]) - 1
    assert facts["levels"][-1] == 0.0
    assert facts["levels"] == sorted(facts["levels"], reverse=True)
    assert facts["sigma"] / (facts["alpha"] + facts["sigma"]) == pytest.approx(noise, abs=1e-3)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--sampler", "DPM++ 2M Karras"], "12 (dpmpp_2m, karras)"),
        (["--spacing", "SGM Uniform", "--sampler", "Euler a"], "12 (euler_ancestral, sgm_uniform)"),
        (["--spacing", "karras", "--sampler", "dpmpp_2m_k"], "12 (dpmpp_2m, karras)"),
        (["--sampler", "heun"], "23 (heun, uniform)"),
    ],
)
def test_plan_takes_usual_names_and_says_ours(args: list[str], told: str, run: Run) -> None:
    result = run("plan", "-s", "0.45", "-m", "analytic", "--steps", "12", *args)
    assert result.exit_code == 0, result.stderr
    assert told in result.stdout


def test_plan_in_words(run: Run) -> None:
    lines = run("plan", "-s", "0.45", "-m", "analytic").stdout.splitlines()
    assert lines[0] == (
        "0.45 standard on analytic: 12 of 20 steps, "
        "the first 8 replaced by your picture (58 % noise)"
    )
    assert lines[1].split() == ["expect", "restyle:", "composition", "and", "pose", "stay"]
    assert lines[-1].split()[:2] == ["levels", "0.578"]


def test_models(run: Run) -> None:
    result = run("models")
    assert result.exit_code == 0
    assert "* " in result.stdout
    for word in ("pocket", "analytic", "256 px", "icons", "config.toml"):
        assert word in result.stdout
    rows = {row["name"]: row for row in run.lines(run("models", "--json"))}
    assert rows["pocket"]["default"]
    assert not rows["analytic"]["default"]
    assert rows["pocket"]["bytes"] > 1e6


def test_one_model(run: Run) -> None:
    text = run("models", "pocket").stdout
    for word in ("styles", "silhouette", "known", "gain", "licences"):
        assert word in text
    facts = json.loads(run("models", "pocket", "--json").stdout)
    assert "3d" in facts["styles"]
    assert facts["words"] > 1000


def test_subjects_are_listed_where_the_folder_names_them(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    pocket = Path(json.loads(run("models", "pocket", "--json").stdout)["folder"])
    (folder / "config.json").write_bytes((pocket / "config.json").read_bytes())
    (folder / "subjects.txt").write_text("cat\n\nowl\n")
    (folder / "LICENSE").write_text("free")
    facts = json.loads(run("models", str(folder), "--json").stdout)
    assert facts["subjects"] == ["cat", "owl"]
    assert facts["licences"] == ["LICENSE"]
    assert facts["words"] is None
    assert "2: cat, owl" in run("models", str(folder)).stdout


def test_fetched_checkpoints_are_listed(
    run: Run, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies in the hub's cache and can be run, without asking the hub."""
    monkeypatch.setenv("HF_HUB_CACHE", str(work / "hub"))
    place = work / "hub" / "models--owner--a--tiny" / "snapshots" / "0123"
    copytree(tiny.folder_of("sdxl"), place)
    other = work / "hub" / "models--owner--edit" / "snapshots" / "4567"
    copytree(place, other)
    index = other / "model_index.json"
    index.write_text(index.read_text().replace("StableDiffusionXLPipeline", "FluxKontextPipeline"))
    names = [line["name"] for line in run.lines(run("models", "--json"))]
    assert names[-1] == "owner/a--tiny"
    assert "owner/edit" not in names
    assert "OWNER/NAME" in run("models").stdout
