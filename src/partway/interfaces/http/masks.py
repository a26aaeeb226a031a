"""Masks as other APIs have them, made what EditRequest has: grey, of the source's size.

They are read as every picture is: turned as their files say, 16 bits as 8, in any colour profile.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from partway import images
from partway.interfaces.http.fitting import fitted

if TYPE_CHECKING:
    from partway.geometry import Extent


def mask_for(data: bytes, size: Extent, how: int) -> bytes:
    """A mask as a grey picture of a source's size, brought there as the source was."""
    return fitted(grey(data), size, how)


def grey(data: bytes) -> bytes:
    """The file of a mask in grey: its alpha, where any of it is transparent, else its luma."""
    mask = images.load(data, "the mask")
    plane = Image.fromarray(mask.rgb if mask.alpha is None else mask.alpha)
    return png(plane.convert("L"))


def from_alpha(data: bytes) -> bytes | None:
    """The grey mask of OpenAI's kind, which is edited where it is transparent.

    None where nothing of it is.
    """
    alpha = images.load(data, "the mask").alpha
    return None if alpha is None else png(Image.fromarray(np.subtract(255, alpha)))


def png(image: Image.Image) -> bytes:
    """The file of a picture."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
