"""EditResult: a finished picture and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from partway import images

if TYPE_CHECKING:
    from PIL.Image import Image

    from partway.fidelity import Kept
    from partway.plan import Plan
    from partway.request import EditRequest


@dataclass(frozen=True, kw_only=True)
class EditResult:
    """A finished picture and how it came about.

    image        at the source's size; the source itself (own mode, own pixels) at strength 0
    plan         start level and steps
    evaluations  network calls this picture took, a guided pair counting once
    kept         how much of the source the model kept, scored before the autoencoder's residual
                 is added back; None for text-to-image
    seconds      from taking up the job to the finished picture
    model        name of the checkpoint; None if none was loaded
    precision    of the denoising network, "none" if none ran
    mode         "exact" or "shared" batching
    warnings     notes for the person who asked
    carried      what the source's file carried beside its pixels
    """

    image: Image
    request: EditRequest
    plan: Plan
    evaluations: int
    kept: Kept | None
    seconds: float
    model: str | None
    precision: str
    mode: str
    warnings: tuple[str, ...] = ()
    carried: images.Carried = images.NOTHING

    def encode(
        self, format_name: str, *, quality: int | None = None, keep_gps: bool = False
    ) -> bytes:
        """The bytes of an image file: the picture with what its source's file carried.

        At strength 0 it is the source's own file where writing it anew would lose something: in a
        lossy format (unless a quality is asked), or of more than 8 bits per channel.

        format_name  as Pillow has it: "PNG", "JPEG" …
        quality      1 … 100 of a lossy format
        keep_gps     the file tells the place the source was taken at, if the source does
        """
        source, carried = self.request.source, self.carried
        untouched = not self.plan.levels and quality is None
        if source is not None and (keep_gps or untouched):
            picture = images.load(source, keep_gps=keep_gps)
            carried = picture.carried
            if untouched:
                own = images.same_stream(source, format_name, deep=picture.deep, keep_gps=keep_gps)
                if own is not None:
                    return own
        return images.encode(self.image, format_name, carried, quality=quality)
