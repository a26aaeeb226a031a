"""The settings file: read where it is, refused where it is broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from partway.calibration import Calibration, fit
from partway.errors import InvalidRequest
from partway.families import Profile, profile_of
from partway.request import EditRequest
from partway.settings import (
    Settings,
    calibrated,
    calibration_for,
    load_settings,
    save_calibration,
    settings_file,
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("PARTWAY_CONFIG", str(path))
    return path


def test_the_named_file_is_read(file: Path) -> None:
    file.write_text('model = "pocket"\n')
    assert settings_file() == file
    assert load_settings() == Settings(model="pocket")


def test_an_empty_file_sets_nothing(file: Path) -> None:
    file.write_text("# nothing\n")
    assert load_settings() == Settings()


def test_a_folder_is_relative_to_the_file(file: Path) -> None:
    file.write_text('model = "./mine"\n')
    assert load_settings().model == str(file.parent / "mine")


def test_without_a_file_there_are_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARTWAY_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings() == Settings()


def test_the_user_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARTWAY_CONFIG", raising=False)

    def user_config_path(name: str) -> Path:
        return tmp_path / name

    monkeypatch.setattr("partway.settings.user_config_path", user_config_path)
    (tmp_path / "partway").mkdir()
    (tmp_path / "partway" / "config.toml").write_text('model = "analytic"')
    assert load_settings().model == "analytic"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"model = ", "not valid TOML"),
        (b"modle = 'pocket'", "unknown key 'modle'"),
        (b"model = 3", "model is 3"),
        (b"model = ''", "model is ''"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_broken_files_are_refused(file: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidRequest, match=message):
        load_settings()


LEVELS = (0.1, 0.5, 0.8, 1.0)


def measured() -> Calibration:
    return fit(LEVELS, np.array([[0.05, 0.3, 0.7, 0.9], [0.1, 0.35, 0.8, 1.0]]))


def checkpoint(folder: Path, weights: bytes) -> Profile:
    folder.mkdir(exist_ok=True)
    (folder / "weights.bin").write_bytes(weights)
    return replace(profile_of("analytic"), name="mine", folder=folder, gain=1.5)


def test_a_stored_calibration_is_read_again(file: Path, tmp_path: Path) -> None:
    profile = checkpoint(tmp_path / "mine", b"1" * 70_000)
    assert calibration_for(profile) == (1.5, None)
    found = measured()
    assert save_calibration(profile, found) == file.parent / "calibrations.json"
    assert calibration_for(profile) == (found.gain, found.curve)
    other = checkpoint(tmp_path / "other", b"2" * 70_000)
    save_calibration(other, found)
    assert calibration_for(profile) == (found.gain, found.curve)


def test_other_weights_are_not_what_was_measured(file: Path, tmp_path: Path) -> None:
    assert not file.exists()
    profile = checkpoint(tmp_path / "mine", b"1" * 70_000)
    save_calibration(profile, measured())
    trained_again = checkpoint(tmp_path / "mine", b"1" * 69_999 + b"2")
    assert calibration_for(trained_again) == (1.5, None)
    (tmp_path / "mine" / "config.json").write_text("{}")  # says nothing of the weights
    assert calibration_for(checkpoint(tmp_path / "mine", b"1" * 70_000))[1] is not None


def test_a_request_takes_what_its_dial_reads(file: Path, tmp_path: Path) -> None:
    profile = checkpoint(tmp_path / "mine", b"1" * 70_000)
    found = measured()
    plain = EditRequest(source=b"?")
    assert calibrated(plain, profile) == plain
    save_calibration(profile, found)
    assert file.parent.joinpath("calibrations.json").exists()
    assert calibrated(plain, profile) == plain.with_(gain=found.gain)
    perceptual = plain.with_(dial="perceptual")
    assert calibrated(perceptual, profile) == perceptual.with_(curve=found.curve.flat)
    noise = plain.with_(dial="noise")
    assert calibrated(noise, profile) == noise


def test_a_calibration_of_another_form_says_what_to_do(file: Path, tmp_path: Path) -> None:
    """As one that an earlier version wrote."""
    profile = checkpoint(tmp_path / "mine", b"1" * 70_000)
    place = save_calibration(profile, measured())
    stored = json.loads(place.read_text())
    for each in stored.values():
        del each["full"]
    place.write_text(json.dumps(stored))
    with pytest.raises(InvalidRequest, match="partway calibrate mine --images FOLDER, or remove"):
        calibration_for(profile)
    save_calibration(profile, measured())
    assert calibration_for(profile)[1] is not None


@pytest.mark.parametrize("content", ["{", "[]", '{"analytic": 3}', '{"analytic": {}}'])
def test_damaged_calibrations_are_refused(file: Path, content: str) -> None:
    file.with_name("calibrations.json").write_text(content)
    with pytest.raises(InvalidRequest, match="calibrations"):
        calibration_for(profile_of("analytic"))
