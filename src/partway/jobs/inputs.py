"""Which pictures a job edits, and what is said about each of them.

A job's input is a folder (all pictures in it and below), a glob, or a .txt list of paths. What one
picture is to be edited with, the first of these that says it:

    a row of the table     CSV with a header or JSON Lines; column `file` is the relative name
    NAME.json beside it    an object
    NAME.txt beside it     the prompt
    the job's own          what the command says
"""

from __future__ import annotations

import csv
import glob
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from partway.errors import InvalidRequest, PartwayError
from partway.images import SUFFIXES

READABLE = {*SUFFIXES, ".gif", ".heic", ".heif"}
FIELDS: dict[str, type] = {
    "prompt": str,
    "negative_prompt": str,
    "strength": float,
    "seed": int,
    "steps": int,
    "guidance_scale": float,
    "model": str,
}  # what may be said of a single picture, and the type a table's text is read as
MAX_SIDECAR = 2**20  # bytes
HIDDEN = "."


@dataclass(frozen=True, slots=True)
class Input:
    """One picture of a job.

    name    relative, with forward slashes: of its result too
    said    fields of EditRequest that are this picture's own
    error   what is wrong with what is said of it
    """

    name: str
    path: Path
    said: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: PartwayError | None = None


def find(source: str, leave_out: Path, table: Path | None = None) -> list[Input]:
    """The pictures of a folder, glob or list, by name; InvalidRequest where there is none.

    leave_out  a folder that is no input: where the results go; InvalidRequest where it holds all
    """
    rows = {} if table is None else read_table(table)
    found = dict(sorted(_named(source, leave_out.resolve())))
    if not found:
        raise InvalidRequest(
            f"no pictures in {source!r}: want a folder, a glob in quotes or a .txt list of paths"
        )
    stranger = next((name for name in rows if name not in found), None)
    if stranger is not None:
        raise InvalidRequest(f"{table} names a file that is not there: {stranger!r}")
    return [_input(name, path, rows.get(name, {})) for name, path in found.items()]


def read_table(path: Path) -> dict[str, dict[str, Any]]:
    """Relative name → what its row says; InvalidRequest for a table that cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            if path.suffix.lower() == ".csv":
                rows: list[Any] = list(csv.DictReader(stream))
            else:
                rows = [json.loads(line) for line in stream if line.strip()]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise InvalidRequest(f"the table {path} cannot be read: {error}") from error
    table: dict[str, dict[str, Any]] = {}
    for number, each in enumerate(rows, 1):
        if not isinstance(each, dict):
            raise InvalidRequest(f"{path}, row {number}: no object")
        row = cast("dict[str, Any]", each)
        if not isinstance(row.get("file"), str):
            raise InvalidRequest(f"{path}, row {number}: no column `file`")
        name = str(PurePosixPath(row.pop("file")))
        if name in table:
            raise InvalidRequest(f"{path}, row {number}: {name!r} has a row already")
        # An empty cell of a CSV says nothing; the job's own value stands.
        table[name] = {
            key: value for key, value in row.items() if value is not None and value != ""
        }
    return table


def _named(source: str, leave_out: Path) -> Iterator[tuple[str, Path]]:
    """Names and paths, in no order. No name leads out of the folder that all files share."""
    place = Path(source)
    if place.is_dir():
        if place.resolve() == leave_out:
            raise _within(place, leave_out)
        files, root = list(_below(place, leave_out)), _whole(place)
    elif place.is_file() and place.suffix.lower() == ".txt":
        files = _listed(place)
        inside = next((file for file in files if leave_out in file.resolve().parents), None)
        if inside is not None:
            raise _within(inside, leave_out)
        root = _common(files)
    else:
        paths = (Path(hit) for hit in glob.iglob(source, recursive=True))  # noqa: PTH207  a path from any root
        hits = [hit for hit in paths if hit.suffix.lower() in READABLE and hit.is_file()]
        files = [hit for hit in hits if leave_out not in hit.resolve().parents]
        if hits and not files:
            raise _within(hits[0], leave_out)
        root = _common(files)
    for file in files:
        yield _whole(file).relative_to(root).as_posix(), file


def _within(place: Path, out: Path) -> InvalidRequest:
    """The error of sources that lie where results go: those would be edited in turn."""
    return InvalidRequest(f"{place} lies where the results go, {out}: name another folder as OUT")


def _whole(file: Path) -> Path:
    """A path from the root, without .. in it."""
    return Path(os.path.abspath(file))  # noqa: PTH100  links are followed by no name


def _below(root: Path, leave_out: Path) -> Iterator[Path]:
    """The pictures in a folder and below it; neither hidden ones nor linked folders."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [
            each
            for each in folders
            if not each.startswith(HIDDEN) and (here / each).resolve() != leave_out
        ]
        for name in names:
            if not name.startswith(HIDDEN) and Path(name).suffix.lower() in READABLE:
                yield here / name


def _listed(place: Path) -> list[Path]:
    """The paths of a list, as seen from its folder."""
    try:
        lines = place.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"the list {place} cannot be read: {error}") from error
    return [place.parent / line.strip() for line in lines if line.strip()]


def _common(files: list[Path]) -> Path:
    """The deepest folder that holds all files."""
    return Path(os.path.commonpath([_whole(file).parent for file in files])) if files else Path()


def _input(name: str, path: Path, row: Mapping[str, Any]) -> Input:
    """One picture with what is said of it; what cannot be understood is its own error."""
    try:
        return Input(name, path, _typed({**_beside(path), **row}))
    except PartwayError as error:
        return Input(name, path, error=error)


def _beside(path: Path) -> dict[str, Any]:
    """What the files beside a picture say."""
    said: dict[str, Any] = {}
    words, values = path.with_suffix(".txt"), path.with_suffix(".json")
    if words.is_file():
        said["prompt"] = _text(words).strip()
    if values.is_file():
        try:
            found = json.loads(_text(values))
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"{values.name} is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise InvalidRequest(f'{values.name} is no object: try {{"strength": 0.4}}')
        said |= found
    return said


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_SIDECAR:
            raise InvalidRequest(f"{path.name} has more than {MAX_SIDECAR:,} bytes")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path.name} cannot be read: {error}") from error


def _typed(said: Mapping[str, Any]) -> dict[str, Any]:
    """Known fields, text of a table as its own type; ranges are the request's to check."""
    values: dict[str, Any] = {}
    for key, value in said.items():
        if key not in FIELDS:
            raise InvalidRequest(f"unknown field {key!r}: choose from {', '.join(FIELDS)}")
        kind = FIELDS[key]
        try:
            values[key] = kind(value) if isinstance(value, str) else value
        except ValueError as error:
            raise InvalidRequest(f"{key} is {value!r}, want a number") from error
    return values
