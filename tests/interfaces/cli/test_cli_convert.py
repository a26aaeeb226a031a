"""`partway convert`, and --as on plan, edit and sweep."""

from __future__ import annotations

import json
import re
from shutil import copytree
from typing import TYPE_CHECKING

import pytest
from tests.families import tiny

from partway.dialects import DIALECTS, KINDS, Setting, start_of

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Run


def test_one_program_to_another(run: Run) -> None:
    args = ["0.6", "--from", "a1111", "--to", "comfyui", "--steps", "20", "--model-kind", "sd1"]
    result = run("convert", *args, "--sampler", "DPM++ 2M Karras")
    assert result.exit_code == 0, result.stderr
    first, second, *more = result.stdout.splitlines()
    assert first == "0.6 in a1111 (20 steps, sd1): starts at 72.5 % noise, 13 evaluations"
    assert second.startswith("0.6251 … 0.6451 in comfyui (denoise): starts at 72.7 % noise, 20 ev")
    assert "0.64 is a round one" in more[0]
    assert "+0.2 points" in more[1]


def test_json_starts_where_it_says(run: Run) -> None:
    result = run("convert", "0.45", "--from", "comfyui", "--all", "--json", "--spacing", "karras")
    facts = run.lines(result)
    assert [each["to"] for each in facts] == list(DIALECTS)
    setting = Setting(20, KINDS["sd1"], None, "karras")
    for each in facts:
        if "error" in each:
            continue
        for value in (each["low"], each["high"]):
            start = start_of(each["to"], value, setting)
            assert start.noise_fraction == pytest.approx(each["start"]["noise_fraction"], abs=1e-9)
            assert start.evaluations == each["start"]["evaluations"] or each["low"] < each["high"]
    assert {each["to"] for each in facts if "error" in each} == {"mflux", "openvino", "sdnext"}
    assert next(e for e in facts if e["to"] == "ideogram")["approximate"]


def test_table_lists_all(run: Run) -> None:
    result = run("convert", "0.45", "--all", "--model-kind", "flux", "--size", "512x512")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(DIALECTS)
    assert all(len(line) <= 100 for line in lines)


def test_size_bends_flux(run: Run) -> None:
    args = ("convert", "0.45", "--from", "diffusers", "--to", "drawthings", "--model-kind", "flux")
    assert "72.1 %" in run(*args).stdout
    assert "57.4 %" in run(*args, "--size", "256x256").stdout
    qwen = run(*args[:-1], "Qwen-Image", "--size", "1328x1328").stdout
    assert qwen == run(*args[:-1], "qwen_image").stdout
    assert qwen != run(*args[:-1], "qwen-image", "--size", "256x256").stdout


def test_words_and_other_steps(run: Run) -> None:
    args = ("--from", "fooocus", "--to", "a1111-hires", "--to-steps", "10", "--model-kind", "sdxl")
    result = run("convert", "strong", *args)
    assert "0.85 in fooocus (20 steps, sdxl)" in result.stdout
    assert "10 evaluations" in result.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["0.5", "--from", "a111"], "did you mean 'a1111'"),
        (["0.5", "--to", "comfy_ui"], "did you mean 'comfyui'"),
        (["much"], "want a number from 0 to 1"),
        (["1.5"], "allowed is 0 … 1"),
        (["0.5", "--model-kind", "sd4"], "choose from"),
        (["0.5", "--all", "--to", "krita"], "--to or --all"),
        (["0.5", "--sampler", "nothing"], "unknown sampler"),
        (["0.5", "--steps", "0"], "--steps 20"),
        (["0.01", "--from", "diffusers", "--sampler", "ddim"], "runs from about 0.05"),
    ],
)
def test_errors(args: list[str], words: str, run: Run) -> None:
    result = run("convert", *args)
    assert result.exit_code == 2
    assert words in result.stderr


def test_ddim_is_told_apart(run: Run) -> None:
    assert "8 evaluations" in run("convert", "0.45", "--sampler", "DDIM").stdout


@pytest.mark.parametrize("tool", ["a1111", "comfyui", "diffusers", "mflux", "drawthings"])
def test_plan_as_another_program(tool: str, run: Run) -> None:
    args = ("-s", "0.4", "--as", tool, "--steps", "12", "-m", "analytic", "--json")
    result = run("plan", *args, "--sampler", "euler")
    facts = json.loads(result.stdout)
    start = start_of(tool, 0.4, Setting(12, KINDS["flux-schnell"], "euler"))
    assert facts["noise_fraction"] == start.noise_fraction
    assert facts["evaluations"] == start.evaluations
    assert f"0.4 in {tool} with 12 steps" in result.stderr


def test_edit_and_sweep_as_another_program(run: Run, work: Path) -> None:
    del work
    args = ("--as", "comfyui", "--steps", "4", "-m", "analytic", "--json", "--sampler", "euler")
    edit = run("icon.png", "red", "-s", "0.5", *args)
    assert edit.exit_code == 0, edit.stderr
    start = start_of("comfyui", 0.5, Setting(4, KINDS["flux-schnell"], "euler"))
    facts = run.lines(edit)[0]
    assert (facts["noise_fraction"], facts["evaluations"]) == (start.noise_fraction, 4)
    sweep = run("sweep", "icon.png", "red", "--strengths", "0,0.5,1", "-o", "out", *args)
    found = [line["noise_fraction"] for line in run.lines(sweep)]
    assert found == [0.0, start.noise_fraction, 1.0]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["icon.png", "red", "--as", "comfi"], "did you mean 'comfyui'"),
        (["icon.png", "red", "-s", "0", "--as", "diffusers"], "runs above 0"),
        (["icon.png", "red", "-s", "0.5", "--as", "a1111", "--dial", "noise"], "--as or --dial"),
        (["icon.png", "red", "-s", "0.5", "--as", "a1111", "--full-steps", "9"], "--full-steps"),
        (["-p", "red", "--as", "a1111"], "needs a source"),
        (["icon.png", "red", "--as", "drawthings"], "needs a strength"),
    ],
)
def test_as_refuses(args: list[str], words: str, run: Run, work: Path) -> None:
    del work
    result = run(*args, "-m", "analytic")
    assert result.exit_code == 2
    assert words in result.stderr


def test_as_diffusers_on_its_checkpoints(run: Run, work: Path) -> None:
    """To the last digit where it is followed; of PNDM the start and the evaluations."""
    model = str(tiny.folder_of("sd1"))
    asked = ("--as", "diffusers", "-s", "0.45", "--steps", "20", "-m", model)
    for sampler, (first, evaluations) in {"ddim": (401, 9), "dpmpp_2m": (450, 9)}.items():
        plan = run("plan", *asked, "--sampler", sampler)
        assert "as diffusers makes it" in plan.stderr
        facts = json.loads(run("plan", *asked, "--sampler", sampler, "--json").stdout)
        assert facts["evaluations"] == evaluations
        assert facts["noise_fraction"] == pytest.approx(KINDS["sd1"].at_time(first), abs=1e-3)
    config = work / "pndm" / "scheduler" / "scheduler_config.json"
    copytree(model, work / "pndm")
    config.write_text(config.read_text().replace("DDIMScheduler", "PNDMScheduler"))
    plan = run("plan", *asked[:-1], "pndm", "--json")
    assert "only its start and evaluations: this checkpoint's scheduler is PNDM" in plan.stderr
    facts = json.loads(plan.stdout)
    assert facts["noise_fraction"] == pytest.approx(KINDS["sd1"].at_time(451), abs=1e-3)
    assert facts["evaluations"] == 10


def test_a_result_made_as_diffusers_says_so(run: Run, work: Path) -> None:
    model = str(tiny.folder_of("sd1"))
    lora = ("--lora", f"{tiny.lora('sd1', work / 'film.safetensors')}:0.5")
    asked = ("-m", model, "--as", "diffusers", "-s", "0.5", "--steps", "4")
    made = run("icon.png", "red", *asked, *lora)
    assert made.exit_code == 0, made.stderr
    said = run("info", "icon-s0.5.png").stdout
    assert "sd1 + film.safetensors:0.5" in said
    assert re.search(r"LoRA +film\.safetensors \(SHA-256", said)
    assert "0.5 diffusers" in said
    assert "2 evaluations, of 4 asked (ddim, uniform)" in said
    again = run("replay", "icon-s0.5.png", "-m", model)
    assert "bit for bit" in again.stderr
