"""The pictures of a job by name: of a folder, a glob or a list, on this machine or behind a URL."""

from __future__ import annotations

import glob
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from itertools import takewhile
from pathlib import Path

from partway.errors import InvalidRequest, UnreadableImage
from partway.images import SUFFIXES
from partway.jobs.files import AnyPath, path_of
from partway.jobs.remote import MAGIC, RemotePath, is_remote

READABLE = {*SUFFIXES, ".gif", ".heic", ".heif"}
HIDDEN = "."


def listed(source: str, leave_out: AnyPath) -> tuple[AnyPath, list[str]]:
    """A folder and the names of pictures as seen from it, in no order, none twice.

    No name leads out of the folder.

    leave_out  a folder that is no input: where the results go; InvalidRequest where it holds all
    """
    place = path_of(source)
    if isinstance(place, RemotePath):
        return _listed_remote(place, leave_out)
    out = None if isinstance(leave_out, RemotePath) else leave_out.resolve()
    return _listed_here(place, out)


def _listed_here(place: Path, leave_out: Path | None) -> tuple[AnyPath, list[str]]:
    """The same on this machine; a list of addresses leads elsewhere."""
    if place.is_dir():
        if place.resolve() == leave_out:
            raise _within(place, leave_out)
        return place, list(_below(place, leave_out))
    if place.is_file() and place.suffix.lower() == ".txt":
        lines = _lines(place)
        if any(map(is_remote, lines)):
            return _addresses([path_of(line) for line in lines], place, leave_out)
        files = [place.parent / line for line in lines]
        inside = next((file for file in files if leave_out in file.resolve().parents), None)
        if inside is not None:
            raise _within(inside, leave_out)
    else:
        paths = (Path(hit) for hit in glob.iglob(str(place), recursive=True))  # noqa: PTH207  a path from any root
        hits = [hit for hit in paths if hit.suffix.lower() in READABLE and hit.is_file()]
        files = [hit for hit in hits if leave_out not in hit.resolve().parents]
        if hits and not files:
            raise _within(hits[0], leave_out)
    whole = [Path(os.path.abspath(file)) for file in files]  # noqa: PTH100  without .., links as named
    root, here = _common(whole), Path.cwd()
    names = list({file.relative_to(root).as_posix() for file in whole})
    return (root.relative_to(here) if root.is_relative_to(here) else root), names


def _listed_remote(place: RemotePath, leave_out: AnyPath) -> tuple[AnyPath, list[str]]:
    """The same behind a URL: what it holds is listed once."""
    out = leave_out if isinstance(leave_out, RemotePath) else None
    if place == out:
        raise _within(place, out)
    start, pattern = _split(place)
    if pattern:
        depth = None if "**" in pattern else pattern.count("/") + 1
        root = start.listed(depth)
        wanted = re.compile(_regex(pattern))
        names = [name for name in _readable(root) if wanted.match(name)]
    elif place.suffix.lower() == ".txt" and place.is_file():
        lines = _lines(place)
        return _addresses([_seen_from(place.parent, line) for line in lines], place, out)
    else:
        root = place.listed()
        names = _readable(root)
        if not names and place.suffix.lower() in READABLE and place.is_file():
            return place.parent, [place.name]
    kept = [name for name in names if not _in(root / name, out)]
    if names and not kept:
        raise _within(root / names[0], out)
    return root, kept


def _split(place: RemotePath) -> tuple[RemotePath, str]:
    """A folder without wildcards, and what follows it in a glob; nothing where there are none."""
    parts = place.path.split("/")
    first = next((at for at, part in enumerate(parts) if MAGIC.search(part)), None)
    if first is None:
        return place, ""
    return replace(place, path="/".join(parts[:first])), "/".join(parts[first:])


def _regex(pattern: str) -> str:
    """fsspec's reading of a glob: ** is any number of folders."""
    return str(import_module("fsspec.utils").glob_translate(pattern))


def _readable(root: RemotePath) -> list[str]:
    """The pictures of a folder that was listed; neither hidden ones nor those of hidden folders."""
    names: list[str] = []
    for path in {} if root.listing is None else root.listing.files:
        name = replace(root, path=path).relative_to(root)
        if name is None or posixpath.splitext(name)[1].lower() not in READABLE:
            continue
        parts = name.split("/")
        if any(part.startswith(HIDDEN) for part in parts):
            continue
        names.append(_safe(name, root))
    return names


def _safe(name: str, root: RemotePath) -> str:
    """A name that as a path leads to a file below its folder; stores keep others as well."""
    parts = tuple(name.split("/"))
    if Path(name).parts != parts or ".." in parts:
        raise InvalidRequest(
            f"{name!r} in {root} has a folder without a name (//), or leads out of its folder: "
            "rename it, or name the folders that you want, or a list"
        )
    return name


def _seen_from(folder: RemotePath, line: str) -> AnyPath:
    """A line of a list: an address, or a path as seen from the list's folder."""
    return path_of(line) if is_remote(line) else folder / line


def _addresses(
    files: list[AnyPath], place: AnyPath, out: AnyPath | None
) -> tuple[AnyPath, list[str]]:
    """The folder that holds all files of a list, and their names; of one store all of them."""
    given = [file for file in files if isinstance(file, RemotePath)]
    if not given:
        return place.parent, []
    if len(given) < len(files) or any(file.fs != given[0].fs for file in given):
        raise InvalidRequest(f"{place} names files of several stores: make a list of each")
    inside = next((file for file in given if _in(file, out)), None)
    if inside is not None:
        raise _within(inside, out)
    folders = [file.parent.path.split("/") for file in given]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    root = replace(given[0], path="/".join(parts[0] for parts in shared))
    return root, list({_safe(str(file.relative_to(root)), root) for file in given})


def _in(file: RemotePath, out: AnyPath | None) -> bool:
    """Whether a file lies where results go."""
    return isinstance(out, RemotePath) and file.relative_to(out) is not None


def _within(place: AnyPath, out: AnyPath | None) -> InvalidRequest:
    """The error of sources that lie where results go: those would be edited in turn."""
    return InvalidRequest(f"{place} lies where the results go, {out}: name another folder as OUT")


def _below(root: Path, leave_out: Path | None) -> Iterator[str]:
    """The pictures in a folder and below it; neither hidden ones nor linked folders."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [
            each
            for each in folders
            if not each.startswith(HIDDEN) and (here / each).resolve() != leave_out
        ]
        inside = "" if here == root else f"{here.relative_to(root).as_posix()}/"
        for name in names:
            if not name.startswith(HIDDEN) and Path(name).suffix.lower() in READABLE:
                yield inside + name


def _lines(place: AnyPath) -> list[str]:
    """What a list names."""
    try:
        text = place.read_text("utf-8-sig") if isinstance(place, Path) else place.read_text()
    except (OSError, ValueError, UnreadableImage) as error:
        raise InvalidRequest(f"the list {place} cannot be read: {error}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _common(files: list[Path]) -> Path:
    """The deepest folder that holds all files."""
    return Path(os.path.commonpath([file.parent for file in files])) if files else Path()
