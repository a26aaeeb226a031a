"""EditResult: a finished picture and how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from partway import images
from partway.errors import OutputExists
from partway.metadata.describe import describe
from partway.metadata.embed import embed, without
from partway.metadata.silent import silent

if TYPE_CHECKING:
    import os

    from PIL.Image import Image

    from partway.fidelity import Kept
    from partway.metadata.document import Document
    from partway.plan import Plan
    from partway.request import EditRequest


@dataclass(frozen=True)
class Names:
    """Where the bytes of a request came from: for records of a result, never deciding pixels.

    source, references, mask, strength_map  file names, as written; None where bytes had no file
    parent                                  SHA-256 of the result this one refines
    """

    source: str | None = None
    references: tuple[str | None, ...] = ()
    parent: str | None = None
    mask: str | None = None
    strength_map: str | None = None

    @classmethod
    def recorded(cls, document: Document, folder: Path) -> Names:
        """Those of a record, as seen from here; `folder` is its picture's."""

        def of(field: str) -> list[str | None]:
            files = document.files.get(field, ())
            return [None if file.name is None else str(folder / file.name) for file in files]

        (source, mask, strength_map) = (
            next(iter(of(field)), None) for field in ("source", "mask", "strength_map")
        )
        return cls(source, tuple(of("references")), document.parent, mask, strength_map)

    def of(self, field: str) -> tuple[str | None, ...]:
        """The names of the files a field of the request held."""
        several: dict[str, tuple[str | None, ...]] = {
            "source": (self.source,),
            "references": self.references,
            "mask": (self.mask,),
            "strength_map": (self.strength_map,),
        }
        return several.get(field, ())


NO_NAMES = Names()


@dataclass(frozen=True, kw_only=True)
class EditResult:
    """A finished picture and how it came about.

    image        at the source's size, larger where it was extended or enlarged; at strength 0 the
                 source itself (own mode, own pixels), or what it was extended or enlarged to
    plan         start level and steps
    evaluations  network calls this picture took, a guided pair counting once
    kept         how much of the source the model kept, scored before the autoencoder's residual
                 is added back; None for text-to-image, and where the source was extended
    seconds      from taking up the job to the finished picture
    model        name of the checkpoint; None if none was loaded
    precision    of the denoising network, "none" if none ran
    mode         "exact" or "shared" batching
    warnings     notes for the person who asked
    carried      what the source's file carried beside its pixels
    names        file names of what the request held
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
    names: Names = NO_NAMES

    def encode(
        self,
        format_name: str,
        folder: Path | None = None,
        *,
        metadata: bool = True,
        quality: int | None = None,
        keep_gps: bool = False,
    ) -> tuple[bytes, str | None]:
        """The bytes of an image file, and a note or None.

        The file holds the picture, what its source's file carried, and the record of how it was
        made. At strength 0 it is the source's own file where writing it anew would lose something:
        in a lossy format (unless a quality is asked), or of more than 8 bits per channel.

        format_name  as Pillow has it: "PNG", "JPEG" …
        folder       where the file will be; names of sources are written as seen from there
        metadata     False writes no record
        quality      1 … 100 of a lossy format
        keep_gps     the file tells the place the source was taken at, if the source does
        """
        source, carried = self.request.source, self.carried
        note = None
        enlarged = self.request.extend is not None or self.request.scale is not None
        untouched = not self.plan.levels and quality is None and not enlarged
        if source is not None and (keep_gps or untouched):
            picture = images.load(source, keep_gps=keep_gps)
            carried = picture.carried
            if untouched:
                own = images.same_stream(source, format_name, deep=picture.deep, keep_gps=keep_gps)
                copied = own if own is None or metadata else silent(own)
                if copied is not None:
                    return copied, None
                if own is not None:
                    note = "written anew, to leave out what it said of how it was made"
        if metadata:
            carried, note = embed(carried, describe(self, folder), format_name)
        else:
            carried = without(carried)
        return images.encode(self.image, format_name, carried, quality=quality), note

    def save(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, metadata: bool = True
    ) -> None:
        """Write the picture whole or not at all, with the record `partway replay` reads.

        The suffix says the format. OutputExists where the file is there and `overwrite` is not
        set; InvalidRequest where the format or the folder cannot take it.
        """
        path = Path(path)
        format_name = images.format_for(path)
        if path.exists() and not overwrite:
            raise OutputExists(f"{path} exists: choose another name or pass overwrite=True")
        data, _ = self.encode(format_name, path.parent, metadata=metadata)
        images.write_whole(data, path, overwrite=overwrite)
