"""A decoded source: its own pixels, what a model sees of them, and what its file carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partway.geometry import Extent
from partway.images.carried import NOTHING, Carried

Pixels: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded source.

    image    as in the file (own mode, own profile), first frame, orientation applied
    rgb      (H, W, 3) uint8 sRGB, transparency composited on white
    alpha    (H, W) uint8, or None where the source is opaque
    digest   SHA-256 of the file's bytes
    notes    what was left out, for the person who asked
    profile  colour profile a result is written in; None is sRGB, unsaid
    carried  what the file carries beside its pixels, cleaned, without a place; the profile is in
             the image
    deep     the file has more than 8 bits per channel
    """

    image: Image.Image
    rgb: Pixels
    alpha: Pixels | None
    digest: str
    notes: tuple[str, ...] = ()
    profile: bytes | None = None
    carried: Carried = NOTHING
    deep: bool = False

    @property
    def nbytes(self) -> int:
        """Memory it takes, about."""
        area = self.image.width * self.image.height
        return self.rgb.nbytes + area * (4 if self.alpha is None else 5)

    @property
    def extent(self) -> Extent:
        """Width and height."""
        return Extent(*self.image.size)
