"""Our own record of a picture: everything that decided its pixels, as JSON, and back.

    {"partway": 1,                                    version of this format
     "program": "Partway 0.1.0",
     "request": {"prompt": …, "strength": 0.45, …},   EditRequest, nothing left to defaults
     "files": {"source": [{"sha256": …, "bytes": …, "name": "cat.png"}], …},
     "model": {"name": "pocket", "fingerprint": …},   null where none ran
     "made": {"precision": "bf16", "mode": "exact", "evaluations": 9, "noise_fraction": 0.578,
              "kept": {…}, "size": [96, 64], "pixels": SHA-256, "digital_source": …},
     "parent": null}                                  SHA-256 of the result this one refines

A field that EditRequest gains is recorded without a change here; one that holds bytes is recorded
as the hash of them. What is read back is somebody else's text: every type is checked, and nothing
in it names a folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from partway.errors import NoMetadata
from partway.metadata.untrusted import is_list, is_object, is_whole, loaded
from partway.styles import STYLES

FORMAT = 1
MAX_JSON = 2**20  # characters
MAX_FILES = 16  # of one kind
MAX_NUMBERS = 64  # in a list: a calibration curve's
NAME = re.compile(r"(?:\.\./){0,2}[^/\\\x00-\x1f\x7f:]{1,255}")
HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class File:
    """A file a picture was made from; its bytes are not kept.

    size   in bytes
    name   as seen from the picture's own folder, at most two folders up: "cat.png", "../cat.png"
    style  its name in the bank of styles
    """

    sha256: str
    size: int
    name: str | None = None
    style: str | None = None

    @property
    def called(self) -> str:
        """What to call it in a message."""
        return self.style or self.name or f"SHA-256 {self.sha256[:12]}…"


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a picture came out.

    precision       of the network that ran, "none" without one
    mode            "exact" or "shared" network calls
    noise_fraction  where the edit started, 0 … 1
    kept            signed shares of the source's structure and colour that are left, see
                    fidelity.Kept; None without one
    pixels          SHA-256 of the pixels, see `digest_of`
    digital_source  term of IPTC's vocabulary that the rule came to, or None
    """

    precision: str = "none"
    mode: str = "exact"
    evaluations: int = 0
    noise_fraction: float = 0.0
    kept: Mapping[str, float] | None = None
    size: tuple[int, int] | None = None
    pixels: str | None = None
    digital_source: str | None = None


@dataclass(frozen=True, kw_only=True)
class Document:
    """The record.

    request      fields of EditRequest but its files and model, JSON values
    files        field of EditRequest → the files it held
    model        name of the checkpoint; fingerprint: of its files, None where it has none
    parent       SHA-256 of the result this one refines
    """

    request: Mapping[str, Any]
    files: Mapping[str, tuple[File, ...]] = field(default_factory=dict[str, tuple[File, ...]])
    model: str | None = None
    fingerprint: str | None = None
    made: Made = field(default_factory=Made)
    program: str = ""
    parent: str | None = None

    @property
    def source(self) -> File | None:
        """The picture that was edited."""
        return next(iter(self.files.get("source", ())), None)


def file_of(data: bytes, name: str | None = None) -> File:
    """The record of a file's bytes."""
    return File(sha256=hashlib.sha256(data).hexdigest(), size=len(data), name=name)


def to_json(document: Document) -> str:
    """One line of ASCII: control characters and everything beyond ASCII are escaped."""
    made = document.made
    model = {"name": document.model, "fingerprint": document.fingerprint}
    value = {
        "partway": FORMAT,
        "program": document.program,
        "request": dict(document.request),
        "files": {name: [_file(each) for each in found] for name, found in document.files.items()},
        "model": None if document.model is None else model,
        "made": {
            "precision": made.precision,
            "mode": made.mode,
            "evaluations": made.evaluations,
            "noise_fraction": made.noise_fraction,
            "kept": None if made.kept is None else dict(made.kept),
            "size": made.size,
            "pixels": made.pixels,
            "digital_source": made.digital_source,
        },
        "parent": document.parent,
    }
    return json.dumps(value, ensure_ascii=True)


def _file(file: File) -> dict[str, Any]:
    """One file as JSON, without what is not known of it."""
    value = {
        "sha256": file.sha256,
        "bytes": file.size,
        "name": file.name,
        "style": file.style,
    }
    return {key: each for key, each in value.items() if each is not None}


def from_json(text: str) -> Document:
    """Read a record. NoMetadata says what is wrong with one that cannot be understood."""
    if len(text) > MAX_JSON:
        raise NoMetadata(f"the record has {len(text):,} characters, allowed are {MAX_JSON:,}")
    try:
        value = loaded(text)
    except (ValueError, RecursionError) as error:
        raise NoMetadata("the record is damaged: no JSON") from error
    if not is_object(value) or not is_whole(value.get("partway")):
        raise NoMetadata("the record is damaged: not one of Partway's")
    if value["partway"] > FORMAT:
        raise NoMetadata(f"the record is of format {value['partway']}: a newer Partway wrote it")
    request = value.get("request")
    if not is_object(request) or not all(_plain(each) for each in request.values()):
        raise NoMetadata("the record is damaged: its request cannot be read")
    name, fingerprint = _model(value.get("model"))
    return Document(
        request=request,
        files=_files(value.get("files")),
        model=name,
        fingerprint=fingerprint,
        made=_made(value.get("made")),
        program=_text("program", value.get("program"), 100) or "",
        parent=_hash("parent", value.get("parent")),
    )


def _plain(value: Any) -> bool:
    """Whether a field of a request is a number, text, truth value, nothing, or a list of those."""
    if is_list(value):
        return len(value) <= MAX_NUMBERS and all(
            _plain(each) and not is_list(each) for each in value
        )
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))


def _text(name: str, value: object, longest: int) -> str | None:
    """A short text or nothing."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > longest:
        raise NoMetadata(f"the record is damaged: {name} is not a short text")
    return value


def _hash(name: str, value: object) -> str | None:
    """A SHA-256 or nothing."""
    if value is None:
        return None
    if not isinstance(value, str) or HASH.fullmatch(value) is None:
        raise NoMetadata(f"the record is damaged: {name} is no SHA-256")
    return value


def _model(value: object) -> tuple[str | None, str | None]:
    """Name and fingerprint of the checkpoint."""
    if value is None:
        return None, None
    if not is_object(value):
        raise NoMetadata("the record is damaged: its model cannot be read")
    name = _text("the model's name", value.get("name"), 255)
    return name, _text("the model's fingerprint", value.get("fingerprint"), 100)


def _files(value: object) -> dict[str, tuple[File, ...]]:
    """All files by field."""
    if value is None:
        return {}
    if not is_object(value) or len(value) > MAX_FILES:
        raise NoMetadata("the record is damaged: its files cannot be read")
    return {name: _list(found) for name, found in value.items()}


def _list(value: object) -> tuple[File, ...]:
    """The files of one field."""
    if not is_list(value) or len(value) > MAX_FILES:
        raise NoMetadata("the record is damaged: its files cannot be read")
    return tuple(_read_file(each) for each in value)


def _read_file(value: object) -> File:
    """One file; a name with a folder in it is refused."""
    if not is_object(value):
        raise NoMetadata("the record is damaged: its files cannot be read")
    name = _text("a file's name", value.get("name"), 300)
    if name is not None and not is_relative(name):
        raise NoMetadata("the record is damaged: a file's name leads out of the picture's folder")
    style = _text("a style", value.get("style"), 100)
    digest, size = _hash("a file", value.get("sha256")), value.get("bytes")
    if digest is None or not is_whole(size) or size < 0:
        raise NoMetadata("the record is damaged: a file without its hash and size")
    return File(sha256=digest, size=size, name=name, style=style if style in STYLES else None)


def is_relative(name: str) -> bool:
    """Whether a name is a plain file's, at most two folders up: no other folder, no drive."""
    last = name.rsplit("/", 1)[-1]
    return NAME.fullmatch(name) is not None and last not in {".", ".."}


def _made(value: object) -> Made:
    """How it came out; what is of another type counts as not said."""
    if not is_object(value):
        return Made()
    kept, size = value.get("kept"), value.get("size")
    pixels = value.get("pixels")
    return Made(
        precision=_word(value.get("precision"), "none"),
        mode=_word(value.get("mode"), "exact"),
        evaluations=_whole(value.get("evaluations")),
        noise_fraction=_share(value.get("noise_fraction")) or 0.0,
        kept=_shares(kept) if is_object(kept) else None,
        size=_size(size),
        pixels=pixels if isinstance(pixels, str) and HASH.fullmatch(pixels) else None,
        digital_source=_word(value.get("digital_source"), "") or None,
    )


def _word(value: object, otherwise: str) -> str:
    """A short plain word."""
    known = isinstance(value, str) and re.fullmatch(r"[\w.-]{1,60}", value) is not None
    return value if known and isinstance(value, str) else otherwise


def _whole(value: object) -> int:
    return value if is_whole(value) and 0 <= value <= 10**6 else 0


def _share(value: object) -> float | None:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        return None
    return float(value)


def _shares(value: dict[str, Any]) -> dict[str, float]:
    """Named numbers from -1 to 1."""
    return {
        name: float(each)
        for name, each in list(value.items())[:16]
        if isinstance(each, (int, float)) and not isinstance(each, bool) and -1 <= each <= 1
    }


def _size(value: object) -> tuple[int, int] | None:
    """Width and height."""
    if not is_list(value) or len(value) != 2:
        return None
    width, height = _whole(value[0]), _whole(value[1])
    return (width, height) if width and height else None
