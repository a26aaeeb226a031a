"""A source on a larger canvas, continued beyond its edges: what outpainting starts from.

The pixels added are painted as under a mask, and fade in from the continued edge: all of that
happens outside the source, of which every pixel stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from partway import images
from partway.edits.surroundings import beyond
from partway.margins import check_margins

if TYPE_CHECKING:
    from partway.geometry import Extent
    from partway.images import Picture
    from partway.request import EditRequest


def check_extent(request: EditRequest, source: Extent) -> None:
    """InvalidRequest where a request would extend its source to too large a picture."""
    if request.extend is not None:
        check_margins(request.extend, source, images.MAX_SIDE, images.MAX_PIXELS)


def extended(request: EditRequest, picture: Picture) -> Picture:
    """A request's source with what it adds around it; the source itself where it adds nothing.

    What is added continues the source as it looks on white, and is opaque.
    """
    if request.extend is None:
        return picture
    check_extent(request, picture.extent)
    colors = beyond(images.on_white(picture), request.extend)
    return images.inside(picture, request.extend.box(picture.extent), colors)
