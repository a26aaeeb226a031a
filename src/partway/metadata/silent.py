"""A file's own bytes without what they say of how it was made: no pixel is written anew."""

from __future__ import annotations

from partway import images
from partway.metadata import exif
from partway.metadata.embed import GENERATION
from partway.metadata.reading import read_metadata

PROPERTIES = rb"partway:(?:document|packed)"


def silent(data: bytes) -> bytes | None:
    """The file saying nothing of its making; None where it would have to be written anew for that.

    What says nothing comes back as it is.
    """
    found = read_metadata(data)
    if found.document is None and found.recipe is None and not found.notes:
        return data
    blanked = images.without_texts(
        data, tags=(exif.USER_COMMENT,), properties=PROPERTIES, keywords=GENERATION
    )
    if blanked is None:
        return None
    left = read_metadata(blanked)
    return blanked if left.document is None and left.recipe is None else None
