"""The settings file: read where it is, refused where it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from partway.errors import InvalidRequest
from partway.settings import Settings, load_settings, settings_file


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
