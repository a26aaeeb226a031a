"""The files of a job, on this machine or behind a URL: versions of them, bytes, whole writes."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from partway import images
from partway.errors import InvalidRequest, UnreadableImage
from partway.jobs.journal import Stopped
from partway.jobs.remote import LOCAL, MARK, RemotePath, is_remote, remote

PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # no fault of the picture
# Failures of one name; after any other the disk takes no more of this job.
OF_ONE_NAME = {
    errno.EACCES, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR,
    errno.EPERM,
}  # fmt: skip

AnyPath: TypeAlias = Path | RemotePath
Stamp: TypeAlias = tuple[int | None, int | str | None]


def path_of(name: str) -> AnyPath:
    """A file or folder by its name or address."""
    if is_remote(name):
        return remote(name)
    protocol, mark, rest = name.partition(MARK)
    return Path(rest if mark and protocol in LOCAL else name)


def read(path: AnyPath) -> bytes:
    """A picture's file; Stopped where it is the machine that cannot read just now."""
    if isinstance(path, RemotePath):
        return images.read_bytes(path.read_bytes())
    try:
        return images.read_bytes(path)
    except UnreadableImage as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in PASSING:
            raise Stopped(f"{error}; the same command goes on from here") from error
        raise


def write(data: bytes, path: AnyPath, *, overwrite: bool) -> None:
    """A file, whole or not there; Stopped where the disk takes no more of the job.

    OutputExists where the name is taken; InvalidRequest where it is this one that cannot be.
    """
    if isinstance(path, RemotePath):
        path.put(data, overwrite=overwrite)
        return
    try:
        images.write_whole(data, path, overwrite=overwrite)
    except InvalidRequest as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno not in OF_ONE_NAME:
            raise Stopped(f"{error}; the same command goes on from here") from error
        raise


def digest_of(data: bytes, lain: Iterable[bytes]) -> str:
    """What a result is made from as one hash: the source's where nothing lies on it."""
    digests = [hashlib.sha256(each).hexdigest() for each in (data, *lain)]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def stamp_of(files: Sequence[AnyPath]) -> Stamp:
    """Bytes and versions of what an item is made from; None where a file is not there.

    A version is a file's time of change in ns, or what its store tells it by.
    """
    found = [_stamp(path) for path in files]
    sizes, versions = [size for size, _ in found], [version for _, version in found]
    if None in versions:
        return None, None
    whole = sum(size for size in sizes if size is not None)
    return whole, versions[0] if len(versions) == 1 else f"{versions}"


def size_of(path: AnyPath) -> int | None:
    """Bytes of a file; None where it is not there."""
    return _stamp(path)[0]


def _stamp(path: AnyPath) -> Stamp:
    """Of one file."""
    if isinstance(path, RemotePath):
        return path.version() or (None, None)
    try:
        found = path.stat()
    except OSError:
        return None, None
    return found.st_size, found.st_mtime_ns
