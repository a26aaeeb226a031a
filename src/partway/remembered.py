"""What an engine remembers of pictures and prompts: decoded and encoded, by content.

Requests that share a source, a prompt or a style picture share the work, within a budget of bytes.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from partway import images
from partway.cache import Cache
from partway.edits import img2img, pyramid, upscale
from partway.edits.outpaint import extended
from partway.edits.region import hidden_on
from partway.families.exemplar import Manner, encode_references
from partway.model_cache import identity_of

if TYPE_CHECKING:
    from partway.denoiser import Array, Condition
    from partway.edits.img2img import Encoded
    from partway.edits.region import Part
    from partway.families import Family
    from partway.geometry import Canvas
    from partway.images import Enlarged, Picture
    from partway.request import EditRequest

MANNER_BYTES = 50 * 2**20  # about what the patches of a style picture take at one scale


class Remembered:
    """Pictures and encodings, made where they are not there yet.

    nbytes  that they may take together; 0 remembers nothing
    lock    held while networks are called
    """

    def __init__(self, nbytes: int, lock: threading.Lock) -> None:
        self.lock = lock
        self._cache = Cache(nbytes)

    def picture(self, data: bytes, name: str) -> Picture:
        """A source, decoded."""
        digest = hashlib.sha256(data).hexdigest()
        return self._cache.get(digest, lambda: images.load(data, name), lambda each: each.nbytes)

    def extended(self, request: EditRequest, picture: Picture) -> Picture:
        """A source with what the request adds around it; a sweep's requests share it."""
        key = (picture.digest, request.extend)
        return self._cache.get(key, lambda: extended(request, picture), lambda each: each.nbytes)

    def manner(self, references: tuple[bytes, ...], side: int) -> Manner:
        """The condition of style pictures at a scale, whose long side is given in pixels."""

        def make() -> Manner:
            found = [images.load(data, "the style picture") for data in references]
            return encode_references(
                [images.to_canvas(each.rgb, pyramid.at_side(each.extent, side)) for each in found]
            )

        return self._cache.get(("manner", references, side), make, lambda _: MANNER_BYTES)

    def condition(self, family: Family, prompt: str) -> Condition:
        """The encoded prompt."""
        key = (identity_of(family.profile), family.precision, "prompt", prompt)

        def make() -> Condition:
            with self.lock:
                return family.encode_prompt(prompt)

        return self._cache.get(key, make, lambda condition: getattr(condition, "nbytes", 2**16))

    def source(self, family: Family, picture: Picture, place: Canvas) -> Encoded:
        """The encoded source, and what comes back of it."""
        key = (identity_of(family.profile), family.precision, picture.digest, place)

        def make() -> Encoded:
            with self.lock:
                return img2img.encode(family, picture, place)

        return self._cache.get(key, make, lambda source: source.nbytes)

    def latents(self, family: Family, picture: Enlarged, ground: upscale.Ground) -> Array:
        """The latents of an enlarged source, encoded in tiles."""
        key = (identity_of(family.profile), family.precision, picture.digest, ground.latents)

        def make() -> Array:
            with self.lock:
                return upscale.encode(family, picture, ground)

        return self._cache.get(key, make, lambda latents: latents.nbytes)

    def beside(self, family: Family, part: Part, place: Canvas) -> Array:
        """What an inpainting checkpoint is shown of a part's surroundings."""
        hidden = hidden_on(part.region, place)
        region = hashlib.sha256(hidden.tobytes()).hexdigest()
        key = (identity_of(family.profile), family.precision, part.seen.digest, place, region)

        def make() -> Array:
            with self.lock:
                return img2img.beside(family, part, hidden, place)

        return self._cache.get(key, make, lambda beside: beside.nbytes)
