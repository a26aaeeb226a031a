"""The files of a job: what tells one version of them from another, and their bytes."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from partway import images
from partway.errors import UnreadableImage
from partway.jobs.journal import Stopped

PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # no fault of the picture

Stamp: TypeAlias = tuple[int | None, int | str | None]


def read(path: Path) -> bytes:
    """A picture's file; Stopped where it is the machine that cannot read just now."""
    try:
        return images.read_bytes(path)
    except UnreadableImage as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in PASSING:
            raise Stopped(f"{error}; the same command goes on from here") from error
        raise


def digest_of(data: bytes, lain: Iterable[bytes]) -> str:
    """What a result is made from as one hash: the source's where nothing lies on it."""
    digests = [hashlib.sha256(each).hexdigest() for each in (data, *lain)]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def stamp_of(files: Sequence[Path]) -> Stamp:
    """Bytes and times of change of what an item is made from; None where a file is not there."""
    try:
        found = [path.stat() for path in files]
    except OSError:
        return None, None
    times = [each.st_mtime_ns for each in found]
    return sum(each.st_size for each in found), times[0] if len(times) == 1 else f"{times}"


def size_of(path: Path) -> int | None:
    """Bytes of a file; None where it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return None
