"""The user's own settings, read by interfaces only; what decides the pixels is in the request.

    ~/.config/partway/config.toml        (Linux; `partway models` prints the place elsewhere)
        model = "pocket"                 a known name or a folder

PARTWAY_CONFIG names another file. Without a file there are no settings.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_config_path

from partway.errors import InvalidRequest

VARIABLE = "PARTWAY_CONFIG"
KEYS = ("model",)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file says.

    model  the checkpoint used where a command names none; None lets the source decide
    """

    model: str | None = None


def settings_file() -> Path:
    """Where the settings are read from, whether or not the file exists."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else user_config_path("partway") / "config.toml"


def load_settings() -> Settings:
    """Read the settings; defaults where there is no file.

    InvalidRequest where the file is not TOML, has a key or a type that is not known, or where
    PARTWAY_CONFIG names a file that cannot be read.
    """
    file = settings_file()
    try:
        text = file.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        if os.environ.get(VARIABLE):
            raise InvalidRequest(f"{VARIABLE} names {file}, which does not exist") from error
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"settings in {file} cannot be read: {error}") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"settings in {file} are not valid TOML: {error}") from error
    unknown = sorted(set(values) - set(KEYS))
    if unknown:
        raise InvalidRequest(
            f"settings in {file} have an unknown key {unknown[0]!r}, known is: {', '.join(KEYS)}"
        )
    return Settings(model=_model(values.get("model"), file))


def _model(value: object, file: Path) -> str | None:
    """The model's name; a path is taken relative to the settings file."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(
            f'settings in {file}: model is {value!r}, want a name or a folder like "pocket"'
        )
    name = value.strip()
    if "/" not in name and "\\" not in name:
        return name
    return str(file.parent / Path(name).expanduser())
