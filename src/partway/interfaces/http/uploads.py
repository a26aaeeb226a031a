"""Bodies as they come: multipart forms and JSON with the same fields, and the pictures in them.

Pictures come as files of a form, or in JSON as base64 or data: URLs. Nothing is ever fetched.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from starlette.datastructures import UploadFile

from partway import images
from partway.errors import InvalidRequest
from partway.interfaces.http.errors import HTTPError, TooLarge, Unsupported

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_FILES = 16
MAX_FIELDS = 200
MAX_FIELD = 2**20  # bytes of one field that is no file
HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character beyond 16 bits, in JSON


@dataclass(frozen=True, eq=False)
class Body:
    """What was sent: fields by name, several where a name came several times; files by name."""

    fields: dict[str, Any]
    files: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])
    is_json: bool = False


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of a body, as the bytes of their files."""

    source: bytes | None = None
    references: tuple[bytes, ...] = ()
    mask: bytes | None = None
    strength_map: bytes | None = None


# Name in a body → field of Pictures; of all but the last there is one at most.
PICTURES = {
    "source": "source",
    "mask": "mask",
    "map": "strength_map",
    "references": "references",
}


async def read_body(request: Request) -> Body:
    """A body as fields and files; 415 where it is neither JSON nor a multipart form."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        return Body(parse_json(await request.body()), is_json=True)
    if kind == "multipart/form-data":
        try:
            return await _read_form(request)
        except UnicodeError as error:  # of a charset that is none
            raise HTTPError(f"the form's text cannot be read: {error}") from error
    raise Unsupported(f"content type {kind or 'none'!r}: want application/json or a multipart form")


def parse_json(data: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8; 400 for anything else, and for text that no answer could repeat."""
    try:
        text = data.decode("utf-8-sig")
        value: object = json.loads(text)
        if HALF.search(text):  # alone it is no character
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise HTTPError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise HTTPError("the body is not a JSON object")
    return cast("dict[str, Any]", value)


async def _read_form(request: Request) -> Body:
    """A multipart form; files within the limit each."""
    fields: dict[str, Any] = {}
    files: dict[str, list[bytes]] = {}
    async with request.form(
        max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD
    ) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files.setdefault(name, []).append(await _read_file(name, value))
            elif name in fields:
                before = fields[name]
                fields[name] = [*before, value] if isinstance(before, list) else [before, value]
            else:
                fields[name] = value
    return Body(fields, files)


async def _read_file(name: str, upload: UploadFile) -> bytes:
    """The bytes of a file of a form."""
    data = await upload.read(images.MAX_UPLOAD + 1)
    return check_file(name, data)


def check_file(name: str, data: bytes) -> bytes:
    """The bytes, if they are not too many."""
    if len(data) > images.MAX_UPLOAD:
        raise TooLarge(f"{name} has more than {images.MAX_UPLOAD:,} bytes")
    return data


def decode_picture(name: str, text: object) -> bytes:
    """A picture from base64 or a data: URL; addresses are not fetched."""
    if not isinstance(text, str):
        raise InvalidRequest(f"{name} is {type(text).__name__}, want a picture as base64 text")
    if text.startswith("data:") and "," in text:
        text = text.split(",", 1)[1]
    elif "://" in text[:20]:
        raise InvalidRequest(f"{name} is an address: nothing is fetched, send the picture itself")
    if len(text) > images.MAX_UPLOAD * 4 // 3 + 1024:
        raise TooLarge(f"{name} has more than {images.MAX_UPLOAD:,} bytes")
    try:
        return check_file(name, base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{name} is not base64: {error}") from error


def pictures_of(body: Body) -> Pictures:
    """The pictures, taken out of the fields of JSON or the files of a form."""
    found = _from_json(body.fields) if body.is_json else _from_form(body)
    single: dict[str, Any] = {}
    for name, files in found.items():
        if name != "references" and len(files) > 1:
            raise InvalidRequest(f"several files called {name}: an edit has one")
        if name != "references" and files:
            single[PICTURES[name]] = files[0]
    return Pictures(**single, references=tuple(found.get("references", ())))


def _from_json(fields: dict[str, Any]) -> dict[str, list[bytes]]:
    """Pictures as base64, by name."""
    found: dict[str, list[bytes]] = {}
    for name in PICTURES:
        value: object = fields.pop(name, None)
        if value is None:
            continue
        if name != "references":
            found[name] = [decode_picture(name, value)]
        elif isinstance(value, list):
            listed = cast("list[object]", value)
            found[name] = [decode_picture(name, each) for each in listed]
        else:
            raise InvalidRequest("references is no list of pictures")
    return found


def _from_form(body: Body) -> dict[str, list[bytes]]:
    """Pictures as files, by name; a field of such a name was left empty."""
    for name in PICTURES:
        if body.fields.get(name):
            raise InvalidRequest(f"{name} is text: want the file itself; nothing is fetched")
        body.fields.pop(name, None)
    unknown = sorted(set(body.files) - PICTURES.keys())
    if unknown:
        raise InvalidRequest(f"no file is called {unknown[0]!r}: want {', '.join(PICTURES)}")
    return body.files
