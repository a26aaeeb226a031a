"""The style pictures that travel with the package, by name.

All are drawn by training/styles/render.py from fixed seeds; see README.md beside them.
"""

from __future__ import annotations

from pathlib import Path

from partway.errors import UnknownName

HERE = Path(__file__).parent

# Name → what it does to a photograph.
STYLES = {
    "watercolour": "soft washes with dark rims on white paper",
    "oil": "thick brush strokes, light on their ridges",
    "impression": "dabs of broken, bright colour",
    "pastel": "chalk on toothed paper",
    "pencil": "graphite hatching, crossed in the shadows",
    "ink": "diluted ink in greys on rice paper",
    "woodcut": "black carved lines on cream",
    "mosaic": "stone tiles in pale grout",
    "glass": "stained glass between black leads",
    "night": "blue hour: cold deep tones, a few lamps",
    "linen-wood": "light oak, linen, white plaster",
    "brick-steel": "red brick, brushed steel, dark iron",
    "evening": "low sun: amber light, violet shadows",
}


def style_file(name: str) -> Path:
    """The picture of a style; UnknownName lists them."""
    if name not in STYLES:
        raise UnknownName("style", name, STYLES)
    return HERE / f"{name}.jpg"
