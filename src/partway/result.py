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
