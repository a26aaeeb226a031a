"""`partway check`: answers, the sheet, the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.families import tiny

from partway.request import EditRequest

if TYPE_CHECKING:
    from .conftest import Run


def test_the_embedded_model_keeps_its_promises(run: Run) -> None:
    done = run("check", "-m", "pocket", "--full-steps", "4")
    assert done.exit_code == 0, done.output
    marks = [line.split()[0] for line in done.stdout.splitlines()]
    assert marks == ["pass", "pass", "pass", "pass", "skip"]
    with Image.open("check-pocket.png") as sheet:
        assert sheet.width > 8 * 200


def test_random_weights_agree_with_diffusers_and_draw_nothing(run: Run, work: Path) -> None:
    """Their arithmetic is right, their pictures are not: the answers tell one from the other."""
    done = run("check", "icon.png", "-m", str(tiny.folder_of("sdxl")), "-p", "red", "--json")
    assert done.exit_code == 1
    assert "does not keep: bands" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    answers = {line["question"]: line["passed"] for line in lines}
    bands = answers.pop("bands")
    assert bands is False
    assert len(answers) == 6
    assert all(passed is True for passed in answers.values()), done.stdout
    assert (work / "check-sdxl.png").is_file()


def test_a_picture_smaller_than_a_stride_is_checked_without_diffusers(run: Run, work: Path) -> None:
    Image.new("RGB", (5, 5), "red").save(work / "small.png")
    model = str(tiny.folder_of("sd1"))
    done = run("check", "small.png", "-m", model, "--full-steps", "1", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["question"] for line in lines][-1] == "diffusers"
    assert "no 8 pixels a side" in lines[-1]["detail"]
    assert (work / "check-sd1.png").is_file()


def test_the_runtime_is_the_requests(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[EditRequest] = []

    def listen(_engine: object, _render: object, _profile: object, request: EditRequest, _: object):
        asked.append(request)
        return Image.new("RGB", (8, 8))

    monkeypatch.setattr("partway.check.check", listen)
    model = str(tiny.folder_of("sd1"))
    assert run("check", "-m", model, "--runtime", "openvino").exit_code == 0
    assert run("check", "-m", model, "--force").exit_code == 0
    assert [request.runtime for request in asked] == ["openvino", "auto"]
    assert "auto, openvino" in run("check", "-m", model, "--runtime", "onnx").stderr


def test_what_cannot_be_checked(run: Run) -> None:
    assert "needs a model" in run("check").stderr
    assert "follows pictures" in run("check", "-m", "exemplar").stderr
    assert run("check", "-m", "nothing").exit_code == 2
