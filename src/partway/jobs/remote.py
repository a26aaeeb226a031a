"""Files behind a URL: whatever fsspec has a file system for, s3:// and gs:// among them.

    RemotePath ──names, sizes, versions──► one listing of its folder, made once
               ──bytes──► its store, one call for each file

A file is seen whole or not at all. Where the store itself promises that of a put, it is one put;
elsewhere a temporary file is given its name.
"""

from __future__ import annotations

import posixpath
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, NoReturn, TypeAlias

from partway.errors import InvalidRequest, OutputExists, UnreadableImage
from partway.images import MAX_BYTES
from partway.jobs.journal import Stopped

MARK = "://"  # of a URL
LOCAL = ("file", "local")  # protocols of this machine's own files
NEEDED = "an address of the kind {}:// needs {}: pip install 'partway[remote]' {}"
WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"}  # whose puts are seen whole
CREATES = {"s3", "s3a", "gs", "gcs", "memory"}  # that refuse a put where the name is taken
# What tells one version of a file from another: the first of these that a store says.
VERSIONS = ("ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified", "updated",
            "mtime", "modified", "created")  # fmt: skip
TEMPORARY = re.compile(r"\.partway-[0-9a-f]{16}\.tmp")
MAGIC = re.compile(r"[*?\[]")
LOGIN = re.compile(r"://[^/\s]+@")

Version: TypeAlias = tuple[int | None, str]  # bytes, and what tells it from others


class Listing:
    """The files of a folder as they were when it was listed.

    depth  folders deep; None is all
    """

    def __init__(self, root: str, depth: int | None, files: dict[str, Version]) -> None:
        self.root = root
        self.files = files
        self._depth = depth

    def covers(self, path: str) -> bool:
        """Whether it says if there is such a file."""
        below = _below(path, self.root)
        return below is not None and (self._depth is None or below.count("/") < self._depth)


@dataclass(frozen=True, slots=True)
class RemotePath:
    """A file or folder, with the part of pathlib.Path's face that jobs need.

    path      as the file system has it, without the protocol
    listing   of a folder that it lies in, or of itself
    """

    fs: Any
    path: str
    listing: Listing | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """Its address, without what a login holds."""
        return without_login(str(self.fs.unstrip_protocol(self.path)))

    def __truediv__(self, name: str) -> RemotePath:
        path = self.path
        for part in name.split("/"):
            if part == "..":
                path = posixpath.dirname(path)
            elif part not in {"", "."}:
                path = posixpath.join(path, part)
        return replace(self, path=path)

    @property
    def name(self) -> str:
        """Its last part."""
        return posixpath.basename(self.path)

    @property
    def stem(self) -> str:
        """Its last part without the suffix."""
        return posixpath.splitext(self.name)[0]

    @property
    def suffix(self) -> str:
        """Of its last part, with the dot."""
        return posixpath.splitext(self.name)[1]

    @property
    def parent(self) -> RemotePath:
        """The folder it lies in."""
        return replace(self, path=posixpath.dirname(self.path))

    def with_suffix(self, suffix: str) -> RemotePath:
        """The same name with another suffix."""
        return replace(self, path=posixpath.splitext(self.path)[0] + suffix)

    def relative_to(self, folder: RemotePath) -> str | None:
        """Its name as seen from a folder; None where it does not lie there."""
        return _below(self.path, folder.path) if self.fs == folder.fs else None

    def listed(self, depth: int | None = None) -> RemotePath:
        """The same folder, with what is in it known from here on.

        InvalidRequest where there is none, Stopped where its store does not answer.
        """
        try:
            self.fs.invalidate_cache()
            found = self.fs.find(self.path, maxdepth=depth, detail=True)
            self.fs.invalidate_cache()  # its own takes a multiple of what is kept here
        except Exception as error:  # noqa: BLE001  stores raise whatever they like
            self._refuse(error, "cannot be listed")
        files = {
            self._stripped(name): _version(info)
            for name, info in found.items()
            if info["type"] == "file"
        }
        return replace(self, listing=Listing(self.path, depth, files))

    def version(self) -> Version | None:
        """What tells this file from an earlier one; None where there is none."""
        if self.listing is not None and self.listing.covers(self.path):
            return self.listing.files.get(self.path)
        info = self._info()
        return _version(info) if info["type"] == "file" else None

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.version() is not None

    is_file = exists

    def is_dir(self) -> bool:
        """Whether files lie below it."""
        if self.listing is not None and self.listing.root == self.path:
            return bool(self.listing.files)
        if self.listing is not None and self.path in self.listing.files:
            return False
        return bool(self._info()["type"] == "directory")

    def read_bytes(self) -> bytes:
        """A picture's bytes, of which there is a limit.

        UnreadableImage for what is this file's own fault, Stopped where its store does not answer.
        """
        size, _ = self.version() or (None, "")
        if size is not None and size > MAX_BYTES:
            raise UnreadableImage(f"{self} has {size:,} bytes, allowed are {MAX_BYTES:,}")
        try:
            return bytes(self.fs.cat_file(self.path))
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise UnreadableImage(f"{self} cannot be read: {_reason(error)}") from error
        except Exception as error:
            raise _stopped(self, "cannot be read", error) from error

    def read_text(self) -> str:
        """A small file of text; a mark of its byte order is no part of it."""
        return self.read_bytes().decode("utf-8-sig")

    def put(self, data: bytes, *, overwrite: bool = False) -> None:
        """Write it whole or not at all; OutputExists where it is there and not to be replaced.

        Two that put one new name at once: one is refused where the store refuses puts on a
        name that is taken (CREATES); elsewhere the later one wins.

        Stopped where the store takes it not.
        """
        try:
            self._put(data, overwrite=overwrite)
        except Exception as error:
            there = None if overwrite else self._there()
            if there == data:
                return  # its answer was lost, and the store was asked again
            if there is not None:
                raise OutputExists(f"{self} exists: choose another name or add --force") from error
            raise _stopped(self, "cannot be written", error) from error

    def remove(self) -> None:
        """Take it away where it can be."""
        with suppress(Exception):
            self.fs.rm_file(self.path)

    def leftovers(self) -> list[RemotePath]:
        """Temporary files of a run that was killed, in a folder that was listed."""
        files = {} if self.listing is None else self.listing.files
        return [
            replace(self, path=path)
            for path in files
            if TEMPORARY.fullmatch(posixpath.basename(path))
        ]

    def _put(self, data: bytes, *, overwrite: bool) -> None:
        protocol = self._protocol
        if not overwrite and protocol in CREATES:
            self.fs.pipe_file(self.path, data, mode="create")
            return
        if not overwrite and self._info()["type"]:
            raise FileExistsError(self.path)
        if protocol in WHOLE:
            self.fs.pipe_file(self.path, data)
            return
        temporary = self.parent / f".partway-{secrets.token_hex(8)}.tmp"
        if temporary.parent.path:
            self.fs.makedirs(temporary.parent.path, exist_ok=True)
        try:
            self.fs.pipe_file(temporary.path, data)
            self.fs.mv(temporary.path, self.path)
        except BaseException:
            temporary.remove()
            raise

    def _there(self) -> bytes | None:
        """What lies under its name now; None where there is nothing, or no answer."""
        try:
            return bytes(self.fs.cat_file(self.path))
        except Exception:  # noqa: BLE001
            return None

    def _info(self) -> dict[str, Any]:
        """What its store says of it now; its type is empty where there is nothing.

        fsspec's `exists` is of no use: it says no as well where a store did not answer.
        """
        try:
            return dict(self.fs.info(self.path))
        except FileNotFoundError:
            return {"type": ""}
        except Exception as error:  # noqa: BLE001
            self._refuse(error, "cannot be looked at")

    @property
    def _protocol(self) -> str:
        named = self.fs.protocol
        return named if isinstance(named, str) else named[0]

    def _stripped(self, name: str) -> str:
        return str(self.fs._strip_protocol(name))  # noqa: SLF001  fsspec's own name for it

    def _refuse(self, error: Exception, what: str) -> NoReturn:
        """InvalidRequest for what the command can correct, else Stopped."""
        if isinstance(error, (FileNotFoundError, PermissionError, ValueError)):
            raise InvalidRequest(f"{self} {what}: {_reason(error)}") from error
        raise _stopped(self, what, error) from error


def is_remote(text: str) -> bool:
    """Whether a name is an address of files that are not this machine's own."""
    protocol, mark, _ = text.partition(MARK)
    return bool(mark) and protocol not in LOCAL


def remote(address: str) -> RemotePath:
    """What is at an address.

    InvalidRequest where it has no known protocol, or its protocol's package is not there.
    """
    protocol = re.split(r"::|://", address, maxsplit=1)[0]
    try:
        core = import_module("fsspec.core")
    except ImportError as error:
        raise InvalidRequest(NEEDED.format(protocol, "fsspec", "").rstrip()) from error
    try:
        fs, path = core.url_to_fs(address)
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or str(error)
        raise InvalidRequest(NEEDED.format(protocol, package, package)) from error
    except Exception as error:
        raise InvalidRequest(
            f"{without_login(address)} cannot be used: {_reason(error)}"
        ) from error
    return RemotePath(fs, path.rstrip("/") or path)


def without_login(text: str) -> str:
    """Text without the names and passwords that addresses in it may hold."""
    return LOGIN.sub(MARK, text)


def _below(path: str, folder: str) -> str | None:
    """A path as seen from a folder, or None."""
    start = folder if folder.endswith("/") or not folder else f"{folder}/"
    return path.removeprefix(start) if path.startswith(start) else None


def _version(info: dict[str, Any]) -> Version:
    """Of a file, by what its store says of it."""
    said = next((info[key] for key in VERSIONS if info.get(key) is not None), "")
    size = info.get("size")
    return None if size is None else int(size), str(said)


def _reason(error: Exception) -> str:
    """What a store says went wrong, in one line."""
    return without_login(" ".join(str(error).split())) or type(error).__name__


def _stopped(path: RemotePath, what: str, error: Exception) -> Stopped:
    return Stopped(
        f"{path} {what}: {type(error).__name__}: {_reason(error)}; "
        "the same command goes on from here"
    )
