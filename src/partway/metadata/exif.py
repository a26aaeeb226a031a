"""EXIF: a few tags read from untrusted blocks, and one comment written into them.

Reading walks the first directory and the Exif directory, looks at each entry once and copies only
the tags asked for, so that ten megabytes of EXIF cost no more than a small block. Writing goes
through Pillow and keeps what else the block holds.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Collection

from PIL import Image

IMAGE_DESCRIPTION, MAKE, MODEL, SOFTWARE = 0x010E, 0x010F, 0x0110, 0x0131
EXIF_DIRECTORY, MAKER_NOTE, USER_COMMENT = 0x8769, 0x927C, 0x9286
UNICODE = b"UNICODE\x00"
MAX_BLOCK = 64 * 2**20
MAX_VALUE = 4 * 2**20
MERGED = 2**20  # bytes of a source's block that is taken over into a result
GRAPH_TAGS, GRAPHS = (MODEL, MAKE), ("prompt", "workflow")  # where ComfyUI's WebP has them
READ = (MAKE, MODEL, SOFTWARE, MAKER_NOTE, USER_COMMENT)
BYTE, UNDEFINED = 1, 7
# Tags of the Exif directory that hold bytes of no type; Pillow writes them as numbers, and readers
# that go by the type then find no text.
UNTYPED = {USER_COMMENT, MAKER_NOTE, 0x8828, 0x9101, 0xA20C, 0xA300, 0xA301, 0xA302, 0xA40B}
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 13: 4}  # bytes of a value, for the types these tags have


def read(block: bytes, tags: Collection[int] = READ) -> dict[int, bytes]:
    """Tag → bytes of its value; nothing from a block that is none. Never raises."""
    block = block[:MAX_BLOCK].removeprefix(b"Exif\x00\x00")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return {}
    found: dict[int, bytes] = {}
    (first,) = struct.unpack_from(f"{order}L", block, 4)
    wanted = {*tags, EXIF_DIRECTORY}
    _directory(block, order, first, wanted, found)
    pointer = found.pop(EXIF_DIRECTORY, b"")
    if len(pointer) >= 4:
        _directory(block, order, struct.unpack_from(f"{order}L", pointer)[0], wanted, found)
        found.pop(EXIF_DIRECTORY, None)
    return found


def _directory(
    block: bytes, order: str, offset: int, wanted: set[int], found: dict[int, bytes]
) -> None:
    """Copy the wanted entries of one directory; the first of a tag counts."""
    if offset + 2 > len(block):
        return
    (count,) = struct.unpack_from(f"{order}H", block, offset)
    count = min(count, (len(block) - offset - 2) // 12)
    entries = block[offset + 2 : offset + 2 + 12 * count]
    for number, (tag, kind, length, value) in enumerate(
        struct.iter_unpack(f"{order}HHL4s", entries)
    ):
        if tag not in wanted or tag in found or kind not in SIZES:
            continue
        size = SIZES[kind] * length
        if size <= 4:
            found[tag] = entries[12 * number + 8 : 12 * number + 8 + size]
        elif size <= MAX_VALUE:
            (place,) = struct.unpack(f"{order}L", value)
            found[tag] = block[place : place + size]


def comment_text(value: bytes) -> str:
    """The text of a UserComment, in any of the ways programs write it."""
    code, body = value[:8], value[8:]
    if code == UNICODE:
        # Big-endian by convention (piexif), yet some programs write their own byte order. The
        # settings at the end are plain letters, in whichever language the prompt is.
        end = body[: len(body) // 2 * 2][-4000:]
        big = _letters(end[0::2], end[1::2]) >= _letters(end[1::2], end[0::2])
        return body.decode("utf-16-be" if big else "utf-16-le", "replace").rstrip("\x00")
    if code in {b"ASCII\x00\x00\x00", bytes(8)}:
        return body.decode("utf-8", "replace").rstrip("\x00")
    return value.decode("utf-8", "replace").rstrip("\x00")


def _letters(high: bytes, low: bytes) -> int:
    """How many code units are printable ASCII."""
    return sum(h == 0 and 0x20 <= each < 0x7F for h, each in zip(high, low, strict=True))


def with_comment(block: bytes | None, comment: str | None, software: str) -> bytes:
    """A block with this UserComment and Software; other entries stay.

    A block that cannot be read, or is larger than a megabyte, is replaced.
    """
    exif = _opened(block)
    inner = exif.get_ifd(EXIF_DIRECTORY)
    if comment is not None:
        inner[USER_COMMENT] = UNICODE + comment.encode("utf-16-be", "replace")
    exif[SOFTWARE] = software.encode("ascii", "replace").decode()
    try:
        return _retyped(exif.tobytes())
    except (OSError, ValueError, TypeError, KeyError, struct.error, OverflowError):
        return with_comment(None, comment, software)


def graph(value: bytes) -> tuple[str, str] | None:
    """Key and text where a tag holds a graph of ComfyUI's WebP files, as in "prompt:{…}"."""
    key, mark, text = value.decode("utf-8", "replace").partition(":")
    return (key.lower(), text.rstrip("\x00")) if mark and key.lower() in GRAPHS else None


def without_settings(block: bytes | None) -> bytes | None:
    """A block without its UserComment and graphs; the block itself where it has neither."""
    found = {} if block is None else read(block)
    graphs = [tag for tag in GRAPH_TAGS if graph(found.get(tag, b"")) is not None]
    if USER_COMMENT not in found and not graphs:
        return block
    exif = _opened(block)
    exif.get_ifd(EXIF_DIRECTORY).pop(USER_COMMENT, None)
    for tag in (USER_COMMENT, *graphs):
        exif.pop(tag, None)
    try:
        return _retyped(exif.tobytes())
    except (OSError, ValueError, TypeError, KeyError, struct.error, OverflowError):
        return None


def _retyped(block: bytes) -> bytes:
    """A block of Pillow's with the types that UNTYPED tags have."""
    data = bytearray(block.removeprefix(b"Exif\x00\x00"))
    order = "<" if data.startswith(b"II") else ">"
    found: dict[int, bytes] = {}
    (first,) = struct.unpack_from(f"{order}L", data, 4)
    _directory(bytes(data), order, first, {EXIF_DIRECTORY}, found)
    if EXIF_DIRECTORY in found:
        (start,) = struct.unpack(f"{order}L", found[EXIF_DIRECTORY])
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, place)
            if tag in UNTYPED and kind == BYTE:
                struct.pack_into(f"{order}H", data, place + 2, UNDEFINED)
    return block[: len(block) - len(data)] + bytes(data)


def _opened(block: bytes | None) -> Image.Exif:
    """A block's entries; none where it cannot be read."""
    exif = Image.Exif()
    if block is None or len(block) > MERGED:
        return exif
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif.load(block)
            exif.get_ifd(EXIF_DIRECTORY)
    except (OSError, ValueError, TypeError, KeyError, SyntaxError, struct.error, OverflowError):
        return Image.Exif()
    return exif
