"""Files made for a test."""

from __future__ import annotations

import io

from PIL import Image


def encoded(image: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()
