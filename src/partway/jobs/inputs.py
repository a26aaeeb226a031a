"""Which pictures a job edits, and what is said about each of them.

A job's input is a folder (all pictures in it and below), a glob, or a .txt list of paths: see
jobs.listing. What one picture is to be edited with, the first of these that says it:

    a row of the table     CSV with a header or JSON Lines; column `file` is the relative name
    NAME.json beside it    an object
    NAME.txt beside it     the prompt
    the picture's file     what it says about how it was made, where the job asks: jobs.embedded
    the job's own          what the command says

Only names are held; what is said of a picture is read when its turn comes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TextIO, cast

from partway.errors import InvalidRequest, PartwayError, UnreadableImage
from partway.jobs.files import AnyPath, size_of
from partway.jobs.listing import listed
from partway.strength import strength_or_word

MAX_SIDECAR = 2**20  # bytes
ALPHA = "alpha"  # in place of a mask's file: the source's own transparency
FILES = ("mask", "strength_map")  # fields that name a file, as seen from where they are said


def _truth(text: str) -> bool:
    """The text of a table as a truth value."""
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.strip().lower() not in known:
        raise ValueError(text)
    return known[text.strip().lower()]


FIELDS: dict[str, Callable[[str], Any]] = {
    "prompt": str,
    "negative_prompt": str,
    "strength": strength_or_word,
    "dial": str,
    "seed": int,
    "steps": int,
    "guidance_scale": float,
    "model": str,
    "mask": str,
    "alpha_mask": _truth,
    "strength_map": str,
    "mask_invert": _truth,
    "mask_grow": int,
    "mask_feather": float,
    "fill": str,
    "only_masked": _truth,
    "padding": int,
}  # what may be said of a single picture, and what a table's text is read with


@dataclass(frozen=True, slots=True)
class Input:
    """One picture of a job.

    name    relative, with forward slashes: of its result too
    said    fields of EditRequest that are this picture's own; those of FILES as paths, and a
            strength may be a word of strength.WORDS
    error   what is wrong with what is said of it
    """

    name: str
    path: AnyPath
    said: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: PartwayError | None = None


class Inputs:
    """The pictures of a job by name: as many as there are, one in memory at a time."""

    def __init__(
        self,
        root: AnyPath,
        names: list[str],
        rows: Mapping[str, Mapping[str, Any]],
        table: AnyPath,
    ) -> None:
        self._root = root
        self._names = names
        self._rows = rows
        self._table = table

    def __len__(self) -> int:
        """How many there are."""
        return len(self._names)

    def __getitem__(self, position: int) -> Input:
        """One with what is said of it; what cannot be understood is its own error."""
        name = self._names[position]
        path = self._root / name
        try:
            row = _placed(self._rows.get(name, {}), self._table.parent)
            return Input(name, path, _typed({**_beside(path), **row}))
        except PartwayError as error:
            return Input(name, path, error=error)


def find(source: str, leave_out: AnyPath, table: AnyPath | None = None) -> Inputs:
    """The pictures of a folder, glob or list, by name; InvalidRequest where there is none.

    leave_out  a folder that is no input: where the results go; InvalidRequest where it holds all
    """
    rows = {} if table is None else read_table(table)
    root, names = listed(source, leave_out)
    names.sort()
    if not names:
        raise InvalidRequest(
            f"no pictures in {source!r}: want a folder, a glob in quotes or a .txt list of paths"
        )
    stranger = next(iter(rows.keys() - set(names)), None) if rows else None
    if stranger is not None:
        raise InvalidRequest(f"{table} names a file that is not there: {stranger!r}")
    return Inputs(root, names, rows, table or Path())


def read_table(path: AnyPath) -> dict[str, dict[str, Any]]:
    """Relative name → what its row says; InvalidRequest for a table that cannot be read."""
    try:
        with _opened(path) as stream:
            if path.suffix.lower() == ".csv":
                rows: list[Any] = list(csv.DictReader(stream))
            else:
                rows = [json.loads(line) for line in stream if line.strip()]
    except (OSError, ValueError, RecursionError, csv.Error, UnreadableImage) as error:
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


def _opened(path: AnyPath) -> TextIO:
    """A table's text, its line ends as they are."""
    if isinstance(path, Path):
        return path.open(encoding="utf-8-sig", newline="")
    return io.StringIO(path.read_text(), newline="")


def _beside(path: AnyPath) -> dict[str, Any]:
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
    return _placed(said, path.parent)


def _placed(said: Mapping[str, Any], folder: AnyPath) -> dict[str, Any]:
    """What is said with the files in it as paths; a mask may be the word for transparency."""
    placed = dict(said)
    for key in FILES:
        value = placed.get(key)
        if key == "mask" and value == ALPHA:
            placed |= {"mask": None, "alpha_mask": True}
        elif isinstance(value, str):
            placed[key] = folder / value
        elif value is not None:
            raise InvalidRequest(f"{key} is {value!r}, want the name of a file")
    return placed


def _text(path: AnyPath) -> str:
    try:
        if (size_of(path) or 0) > MAX_SIDECAR:
            raise InvalidRequest(f"{path.name} has more than {MAX_SIDECAR:,} bytes")
        return path.read_text("utf-8-sig") if isinstance(path, Path) else path.read_text()
    except (OSError, UnicodeDecodeError, UnreadableImage) as error:
        raise InvalidRequest(f"{path.name} cannot be read: {error}") from error


def _typed(said: Mapping[str, Any]) -> dict[str, Any]:
    """Known fields, text of a table as its own type; ranges are the request's to check."""
    values: dict[str, Any] = {}
    for key, value in said.items():
        if key not in FIELDS:
            raise InvalidRequest(f"unknown field {key!r}: choose from {', '.join(FIELDS)}")
        try:
            values[key] = FIELDS[key](value) if isinstance(value, str) else value
        except ValueError as error:
            kind = "yes or no" if FIELDS[key] is _truth else "a number"
            raise InvalidRequest(f"{key} is {value!r}, want {kind}") from error
    return values
