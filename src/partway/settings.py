"""The user's own settings, read by interfaces only; what decides the pixels is in the request.

    ~/.config/partway/config.toml        (Linux; `partway models` prints the place elsewhere)
        model = "pocket"                 a known name or a folder
        metadata = false                 results do not say how they were made
    ~/.config/partway/calibrations.json  what `partway calibrate` measured, by model

PARTWAY_CONFIG names another config.toml; calibrations lie beside it. Without files there are no
settings.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from platformdirs import user_config_path

from partway.calibration import Calibration, Curve, curve_from
from partway.errors import InvalidRequest
from partway.fields import number
from partway.strength import check_gain

if TYPE_CHECKING:
    from partway.families import Profile
    from partway.request import EditRequest

VARIABLE = "PARTWAY_CONFIG"
KEYS = ("metadata", "model")
WEIGHTS = {".onnx", ".data", ".bin", ".safetensors", ".pt", ".ckpt"}  # suffixes
SAMPLE = 2**20  # bytes read at both its ends


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file says.

    model     the checkpoint used where a command names none; None lets the source decide
    metadata  whether results say how they were made, where a command does not
    """

    model: str | None = None
    metadata: bool = True


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
    metadata = values.get("metadata", True)
    if not isinstance(metadata, bool):
        raise InvalidRequest(f"settings in {file}: metadata is {metadata!r}, want true or false")
    return Settings(model=_model(values.get("model"), file), metadata=metadata)


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


def calibrations_file() -> Path:
    """Where calibrations are stored, whether or not the file exists."""
    return settings_file().with_name("calibrations.json")


def save_calibration(profile: Profile, calibration: Calibration) -> Path:
    """Store what was measured of a model, in place of what was stored before; the file's path."""
    file = calibrations_file()
    known = _calibrations(file)
    known[_key(profile)] = {"weights": networks_of(profile.folder), **calibration.stored()}
    part = file.with_name(f"{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
        part.replace(file)
    except OSError as error:
        raise InvalidRequest(f"calibrations cannot be written to {file}: {error}") from error
    return file


def calibration_for(profile: Profile) -> tuple[float, Curve | None]:
    """Gain and curve of a model: the user's own, else what its checkpoint brings.

    A calibration of other weights under the same name is not used.
    """
    file = calibrations_file()
    stored = _calibrations(file).get(_key(profile))
    if stored is None:
        return profile.gain, profile.curve
    try:
        values = cast("dict[str, Any]", dict(stored))
        if values["weights"] != networks_of(profile.folder):
            return profile.gain, profile.curve
        return check_gain(number("gain", values["gain"])), curve_from(values)
    except (InvalidRequest, KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(
            f"calibrations in {file} cannot be understood: {error.__cause__ or error!r}; measure "
            f"again by partway calibrate {profile.name} --images FOLDER, or remove that file"
        ) from error


def calibrated(request: EditRequest, profile: Profile) -> EditRequest:
    """The request with the user's own calibration, where its dial reads one."""
    gain, curve = calibration_for(profile)
    if request.dial == "standard" and gain != profile.gain:
        return request.with_(gain=gain)
    if request.dial == "perceptual" and curve is not None and curve != profile.curve:
        return request.with_(curve=curve.flat)
    return request


def networks_of(folder: Path | None) -> str:
    """Tells networks from others: sizes, first and last bytes of a checkpoint's weights.

    The name does not: a model that was trained again keeps it. Nor does metadata.fingerprint: it
    covers the config too, which a calibration may rewrite without being about other networks.
    """
    digest = hashlib.sha256()
    files = () if folder is None else (folder,) if folder.is_file() else sorted(folder.rglob("*"))
    for file in files:
        if file.suffix not in WEIGHTS:
            continue
        size = file.stat().st_size
        with file.open("rb") as stream:
            digest.update(f"{file.name} {size}".encode() + stream.read(SAMPLE))
            stream.seek(max(size - SAMPLE, 0))
            digest.update(stream.read())
    return digest.hexdigest()[:16]


def _key(profile: Profile) -> str:
    """A model's key: its name, with the folder of a checkpoint that the user brought."""
    return profile.name if profile.folder is None else str(profile.folder.resolve())


def _calibrations(file: Path) -> dict[str, Any]:
    """What is stored; nothing where there is no file."""
    try:
        values: object = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"calibrations in {file} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise InvalidRequest(f"calibrations in {file} are no JSON object")
    return cast("dict[str, Any]", values)
