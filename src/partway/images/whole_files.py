"""Files that are whole or not there: a temporary one in the same folder, flushed, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from partway.errors import InvalidRequest, OutputExists


def write_whole(data: bytes, path: Path, *, overwrite: bool = False) -> None:
    """Write a file so that it is never seen half-written, whatever fails or is killed meanwhile.

    A replaced file keeps its permissions, and a symbolic link is followed, not replaced.
    OutputExists where the name is taken; InvalidRequest where the file cannot be written.
    """
    if overwrite:
        path = Path(os.path.realpath(path))
    temporary = path.parent / f".partway-{secrets.token_hex(8)}.tmp"
    try:
        if overwrite and path.exists():
            _check_replaceable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            _publish(temporary, path, overwrite=overwrite)
        finally:
            temporary.unlink(missing_ok=True)
        _flush_folder(path.parent)
    except FileExistsError as error:
        raise OutputExists(f"{path} exists: choose another name or add --force") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"{path} cannot be written: {reason}") from error


def _check_replaceable(path: Path) -> None:
    """Refuse what is no file, and what its owner has made read-only."""
    if not path.is_file():
        raise InvalidRequest(f"{path} cannot be written: it is no ordinary file")
    if not os.access(path, os.W_OK):
        raise InvalidRequest(f"{path} cannot be written: it is read-only")


def _publish(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Give a finished temporary file its name; never replaces a file unasked, even in a race."""
    if overwrite:
        if path.exists():
            with contextlib.suppress(OSError):
                shutil.copymode(path, temporary)
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # fails where the name is taken
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system: reserve the name, then fill it
        path.touch(exist_ok=False)
        temporary.replace(path)


def _flush_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where folders can be flushed at all."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
