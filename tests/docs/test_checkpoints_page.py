"""docs/checkpoints.md is code: its commands run, on tiny checkpoints; its numbers are true."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from tests.families import single, tiny

import partway
from partway import check
from partway.checkpoints import autoencoder, distilled
from partway.examples import PHOTOGRAPH
from partway.families import PIPELINES, WITHOUT_START
from partway.interfaces.cli import cli

PAGE = (Path(__file__).parent.parent.parent / "docs" / "checkpoints.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [shlex.split(line, comments=True) for block in BLOCKS for line in block.splitlines()]


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny checkpoints under the page's names."""
    folder = tmp_path_factory.mktemp("stocked")
    shutil.copy(PHOTOGRAPH, folder / "cat.jpg")
    with Image.open(PHOTOGRAPH) as photograph:
        mask = Image.new("L", photograph.size)
    mask.paste(255, (0, 0, mask.width // 2, mask.height // 2))
    mask.save(folder / "mask.png")
    for kind in ("sdxl", "inpainting"):
        shutil.copytree(tiny.folder_of(kind), folder / kind)
    single.build(folder)
    tiny.lora("sd1", folder / "film.safetensors")
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_run(command: list[str], stocked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stocked)
    monkeypatch.setenv("HOME", str(stocked))
    done = CliRunner().invoke(cli, command[1:])
    weights_are_random = command[1] == "check"
    assert done.exit_code == (1 if weights_are_random else 0), done.output
    if weights_are_random:
        assert "does not keep: bands\n" in done.stderr


def test_its_names_and_numbers_are_the_programs() -> None:
    for pipeline in PIPELINES:
        assert pipeline in PAGE or pipeline.replace("Img2Img", "").replace("Inpaint", "") in PAGE
    assert {"FluxKontextPipeline", "QwenImageEditPipeline"} <= set(WITHOUT_START)
    for word in ("lcm", "turbo", "lightning", "hyper"):
        assert word in distilled.KINDS
    side = int(autoencoder.TILED_FROM**0.5)
    assert f"above {side} × {side} pixels" in PAGE
    assert f"at least {check.NEARLY_ALL:.0%} at {check.STRENGTHS[0]}".replace("%", " %") in PAGE
    assert f"{check.DECIBELS:.0f} dB" in PAGE


def test_a_loaded_pipeline_edits(stocked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stocked)
    example = re.search(r"```python\n(from partway import EditRequest, .*?)```", PAGE, re.DOTALL)
    assert example is not None
    exec(example[1], {"Path": Path, "pipe": tiny.KINDS["sd1"]()})  # noqa: S102
    with Image.open("cat-oil.png") as made, Image.open("cat.jpg") as source:
        assert made.size == source.size


def test_the_loop_of_ones_own_is_the_dial() -> None:
    """The page's loop on a tiny pipeline: runs, and its ends are exact."""
    import torch

    pipe = tiny.KINDS["sd1"]()
    loop = re.search(r"```python\n(way = .*?)```", PAGE, re.DOTALL)
    assert loop is not None
    rng = torch.Generator().manual_seed(3)
    latents, noise, other = (torch.randn(1, 4, 8, 8, generator=rng) for _ in range(3))
    embeddings = torch.randn(1, 77, 32, generator=rng)

    def result(strength: float, source: torch.Tensor) -> torch.Tensor:
        names: dict[str, Any] = {
            "partway": partway,
            "pipe": pipe,
            "latents": source,
            "noise": noise,
            "embeddings": embeddings,
        }
        with torch.no_grad():
            exec(loop[1].replace("strength=0.45", f"strength={strength}"), names)  # noqa: S102
        return names["x"]

    assert result(0.0, latents) is latents
    assert torch.equal(result(1.0, latents), result(1.0, other))
    near, far = (result(strength, latents) for strength in (0.45, 0.46))
    assert near.isfinite().all()
    assert not torch.equal(near, far)
    way = partway.levels(pipe.scheduler, 0.45, steps=1)
    assert f"0.45 starts at {way.plan.noise_fraction:.0%}".replace("%", " %") in PAGE
