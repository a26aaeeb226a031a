"""What a picture's file says about itself, read without decoding its pixels.

Everything here is somebody else's text: it is parsed within limits, and nothing acts on it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import ImageCms

from partway import images
from partway.errors import NoMetadata
from partway.images.read import BROKEN, opened
from partway.metadata import exif, others, xmp
from partway.metadata.document import from_json
from partway.metadata.embed import PARAMETERS, PARTWAY

if TYPE_CHECKING:
    from PIL import Image

    from partway.images import ImageLike
    from partway.metadata.document import Document
    from partway.metadata.recipe import Recipe

MAX_TEXT = 8 * 2**20  # characters of one text that are kept
MAX_TEXTS = 64
MAX_PROFILE = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a file says.

    format          Pillow's name of it: "PNG", "JPEG" …
    mode            of its pixels: "RGB", "P" …
    animated        whether it holds several pictures; they are not counted, which may take long
    profile         name of its colour profile, None without one
    tool            the program that made it: "Partway", "A1111", "ComfyUI" …; None if none is known
    document        Partway's record
    recipe          the settings another program wrote, or the block beside our record
    digital_source  IPTC's DigitalSourceType, its last word
    notes           what could not be read, and why
    """

    format: str
    size: tuple[int, int]
    mode: str
    animated: bool = False
    profile: str | None = None
    tool: str | None = None
    document: Document | None = None
    recipe: Recipe | None = None
    digital_source: str | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)


def read_metadata(source: ImageLike, name: str = "the file") -> Metadata:
    """Read what a picture's file says about itself and how it was made.

    source  a path, the bytes of an image file, an open file
    name    what to call it in errors

    UnreadableImage where it is no picture; whatever its metadata holds raises nothing.
    """
    data = images.read_bytes(source)
    with opened(data, name) as image:
        return _read(image, data)


def read_texts(data: bytes) -> dict[str, str]:
    """Every text of a picture's file that may hold settings; UnreadableImage as above."""
    with opened(data) as image:
        return _texts(image, data)


def _read(image: Image.Image, data: bytes) -> Metadata:
    """All of it, from an opened file."""
    texts = _texts(image, data)
    notes: list[str] = []
    if image.format == "PNG" and not texts and any(_text_chunks(data)):
        notes.append("its texts are too large or damaged, and were not read")
    record, says = xmp.read(_packet(image))
    record = texts.pop(PARTWAY, record)
    document = None
    if record is not None:
        try:
            document = from_json(record)
        except NoMetadata as error:
            notes.append(str(error))
    recipe = others.recognise(texts)
    if recipe is None:
        notes += _unread(texts)
    tool = recipe.tool if recipe is not None else None
    return Metadata(
        format=image.format or "",
        size=image.size,
        mode=image.mode,
        animated=_is_animated(image),
        profile=_profile(image),
        tool=tool if document is None else "Partway",
        document=document,
        recipe=recipe,
        digital_source=None if says is None else says.rsplit("/", 1)[-1][:100],
        notes=tuple(notes),
    )


def _is_animated(image: Image.Image) -> bool:
    """Whether the file holds more pictures than one."""
    try:
        return bool(getattr(image, "is_animated", False))
    except BROKEN:
        return False


def _unread(texts: Mapping[str, str]) -> Iterator[str]:
    """Notes on texts that are usually settings and could not be understood."""
    for key in (PARAMETERS, "prompt", "workflow", "invokeai_metadata", "sd-metadata"):
        if texts.get(key):
            yield f"its {key!r} text cannot be understood"


def _texts(image: Image.Image, data: bytes) -> dict[str, str]:
    """Every text that may hold settings, under the names PNG files give them."""
    if image.format == "PNG" and _text_chunks(data)[1]:
        with suppress(*BROKEN):
            image.load()  # Pillow reads what follows the pixels with them
    found = {
        str(key): value[:MAX_TEXT]
        for key, value in list(image.info.items())
        if isinstance(value, str)
    }
    block: object = data if image.format == "TIFF" else image.info.get("exif")
    tags = exif.read(block) if isinstance(block, bytes) else {}
    comment = tags.get(exif.USER_COMMENT)
    if comment is not None:
        found.setdefault(PARAMETERS, exif.comment_text(comment)[:MAX_TEXT])
    for tag in exif.GRAPH_TAGS:
        if (said := exif.graph(tags.get(tag, b""))) is not None:
            found.setdefault(said[0], said[1][:MAX_TEXT])
    comment = image.info.get("comment")
    if isinstance(comment, bytes):  # JPEG, GIF
        text = comment.decode("utf-8", "replace")[:MAX_TEXT]
        found.setdefault("Comment" if text.startswith("{") else PARAMETERS, text)
    return dict(list(found.items())[:MAX_TEXTS])


def _text_chunks(data: bytes) -> tuple[int, int]:
    """How many text chunks a PNG has before and after its pixels."""
    counts, place, pixels = [0, 0], 8, False
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, place)
        pixels = pixels or kind == b"IDAT"
        counts[pixels] += kind in {b"tEXt", b"zTXt", b"iTXt"}
        place += 12 + length
    return counts[0], counts[1]


def _packet(image: Image.Image) -> bytes | None:
    """The XMP packet."""
    packet = image.info.get("xmp", image.info.get("XML:com.adobe.xmp"))
    if isinstance(packet, str):
        return packet[: xmp.MAX_PACKET + 1].encode("utf-8", "replace")
    return packet if isinstance(packet, bytes) else None


def _profile(image: Image.Image) -> str | None:
    """The name of the embedded colour profile."""
    icc = image.info.get("icc_profile")
    if not isinstance(icc, bytes) or not icc:
        return None
    if len(icc) > MAX_PROFILE:
        return "a profile too large to read"
    try:
        described = ImageCms.getProfileDescription(io.BytesIO(icc)).strip()
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return "a profile that cannot be read"
    return described[:200] or "a profile without a name"
