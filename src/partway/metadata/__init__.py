"""How a picture was made: written into its file, read from any program's, made again.

describe.py     a result → its record          document.py   the record ↔ JSON
embed.py        record → what a file carries   exif.py, xmp.py, infotext.py  where it goes
reading.py      a file → what it says          others.py, comfyui.py  other programs' settings
provenance.py   IPTC's digital source type     fingerprint.py  one hash for a checkpoint
inputs.py       the files a picture was made from, found again
replay.py       record → the same request      refine.py  result → the next request
"""

from __future__ import annotations

from partway.metadata.document import Document, File, Made
from partway.metadata.reading import Metadata, read_metadata
from partway.metadata.recipe import Recipe

__all__ = ["Document", "File", "Made", "Metadata", "Recipe", "read_metadata"]
