"""Files that are whole or not there."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from partway.errors import InvalidRequest, OutputExists


def write_whole(data: bytes, path: Path, *, overwrite: bool = False) -> None:
    """Write a file through a temporary one in the same folder, flushed to disk, then renamed."""
    temporary = path.parent / f".partway-{secrets.token_hex(8)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            _publish(temporary, path, overwrite=overwrite)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError as error:
        raise OutputExists(f"{path} exists: choose another name or add --force") from error
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror or error}") from error


def _publish(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Give a finished temporary file its name; never replaces a file unasked, even in a race."""
    if overwrite:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # fails where the name is taken
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system: reserve the name, then fill it
        path.touch(exist_ok=False)
        temporary.replace(path)
