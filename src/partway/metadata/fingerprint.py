"""The fingerprint of a checkpoint: one hash over the files that decide what it computes.

    SHA-256 over a line "name size hash" per file, in the order of their names

Left out are hidden files and what only people read (README, NOTICE, LICENSE). Of a file larger than
256 MiB sixteen evenly spread blocks of 1 MiB are hashed, first and last among them: two trainings
never share those, and the first edit with a large checkpoint need not wait for its every byte.

Fingerprints are remembered in the user's cache folder for as long as no size and no time of change
is another, so that an edit pays for some file attributes only.

A checkpoint of the hub goes by its commit instead, which names every byte of it: its files are
fetched one after the other, and only those that are needed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_dir

if TYPE_CHECKING:
    from partway.families import Profile

WHOLE = 256 * 2**20  # bytes up to which a file is hashed from first to last
BLOCK, BLOCKS = 2**20, 16
FOR_PEOPLE = ("README", "NOTICE", "LICENSE", "LICENCE")
REMEMBERED = 64  # checkpoints


def fingerprint_of(profile: Profile) -> str | None:
    """The fingerprint of a model: of its files, or the commit of the hub they come from."""
    facts = {} if profile.checkpoint is None else profile.checkpoint.facts
    commit: str | None = facts.get("revision")
    return fingerprint(profile.folder) if commit is None else commit


def fingerprint(place: Path | None) -> str | None:
    """The fingerprint of a checkpoint's folder or single file; None where there are no files."""
    if place is None:
        return None
    try:
        files = _files(place)
        if not files:
            return None
        stats = {name: file.stat() for name, file in files.items()}
        state = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()]
        key = hashlib.sha256(repr((str(place.resolve()), state)).encode()).hexdigest()
        known = _remembered()
        if key not in known:
            lines = [
                f"{name} {stats[name].st_size} {_hash(file, stats[name].st_size)}\n"
                for name, file in files.items()
            ]
            known[key] = hashlib.sha256("".join(lines).encode()).hexdigest()
            _remember(known)
        return str(known[key])
    except OSError:  # gone or unreadable since it was loaded: nothing can be said of it
        return None


def _files(place: Path) -> dict[str, Path]:
    """Files that decide what a checkpoint computes, by their names inside it."""
    if place.is_file():
        return {place.name: place}
    found = {file.relative_to(place): file for file in place.rglob("*") if file.is_file()}
    return {
        inside.as_posix(): file
        for inside, file in sorted(found.items())
        if not any(part.startswith(".") for part in inside.parts)
        and not inside.name.upper().startswith(FOR_PEOPLE)
    }


def _hash(file: Path, size: int) -> str:
    """SHA-256 of a file, or of the blocks that stand for a large one."""
    with file.open("rb") as stream:
        if size <= WHOLE:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        digest = hashlib.sha256()
        for number in range(BLOCKS):
            stream.seek(number * (size - BLOCK) // (BLOCKS - 1))
            digest.update(stream.read(BLOCK))
        return digest.hexdigest()


def _cache_file() -> Path:
    return Path(user_cache_dir("partway", appauthor=False)) / "fingerprints.json"


def _remembered() -> dict[str, Any]:
    """What earlier runs found; nothing where the file is not there or damaged."""
    try:
        known = json.loads(_cache_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _remember(known: dict[str, Any]) -> None:
    """Keep the latest; a cache folder that cannot be written only costs time."""
    kept = dict(list(known.items())[-REMEMBERED:])
    file = _cache_file()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
        temporary.write_text(json.dumps(kept), "utf-8")
        temporary.replace(file)
