"""Generation parameters that a picture carries, as A1111 lays them out."""

from __future__ import annotations

import io
import re
from typing import Any

from PIL import ExifTags, Image

from partway import images

MAX_TEXT = 2**20  # characters
PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
NEGATIVE = "Negative prompt:"


def texts_of(data: bytes) -> dict[str, str]:
    """Text by keyword; `parameters` also from the EXIF comment of a JPEG, WebP or AVIF."""
    images.load(data)  # what is no picture is refused here
    with Image.open(io.BytesIO(data), formats=images.FORMATS) as image:
        found = {str(key): text for key, text in image.info.items() if isinstance(text, str)}
        comment: Any = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if "parameters" not in found and isinstance(comment, bytes):
        if comment.startswith(b"UNICODE\0"):
            found["parameters"] = comment[8:].decode("utf-16-be", "replace")
        elif comment.startswith(b"ASCII\0\0\0"):
            found["parameters"] = comment[8:].decode("ascii", "replace")
    return {key: text[:MAX_TEXT] for key, text in found.items()}


def parse(text: str) -> dict[str, str]:
    """The parts of a block: prompts, and each `Key: value`; empty where it is none."""
    lines = text.strip().split("\n")
    pairs = {name: value.strip('"') for name, value in PAIR.findall(lines[-1][: 2**16])}
    if len(pairs) < 3:
        return {}
    start = next((i for i, line in enumerate(lines) if line.startswith(NEGATIVE)), len(lines) - 1)
    negative = "\n".join(lines[start:-1]).removeprefix(NEGATIVE).strip()
    return {"Prompt": "\n".join(lines[:start]), "Negative prompt": negative} | pairs
