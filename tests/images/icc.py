"""ICC profiles made from definitions: matrix and curve for RGB, a curve for grey, a CMYK table.

Display P3, Adobe RGB (1998) and ProPhoto RGB by the primaries, white points and gammas of their
specifications, adapted to D50 by the Bradford matrix, as ICC.1 version 2 asks.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

D50 = np.array([0.9642, 1.0, 0.8249])
D65_XY = (0.3127, 0.3290)
D50_XY = (0.3457, 0.3585)
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)

Primaries = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
P3: Primaries = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
SRGB: Primaries = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
ADOBE: Primaries = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
ROMM: Primaries = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))


def xyz(xy: tuple[float, float]) -> NDArray[np.float64]:
    return np.array([xy[0] / xy[1], 1.0, (1.0 - xy[0] - xy[1]) / xy[1]])


def colorants(primaries: Primaries, white: tuple[float, float]) -> NDArray[np.float64]:
    """(3, 3): columns are red, green and blue in XYZ under D50."""
    matrix = np.stack([xyz(p) for p in primaries], axis=1)
    matrix = matrix * np.linalg.solve(matrix, xyz(white))
    gain = (BRADFORD @ D50) / (BRADFORD @ xyz(white))
    return np.linalg.inv(BRADFORD) @ np.diag(gain) @ BRADFORD @ matrix


def rgb_profile(primaries: Primaries, white: tuple[float, float], gamma: float) -> bytes:
    columns = colorants(primaries, white)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve, b"wtpt": xyz_tag(D50)}
    for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True):
        tags[name] = xyz_tag(column)
    return profile(b"RGB ", b"XYZ ", tags)


def rounded_srgb() -> bytes:
    """sRGB with its curve as a coarse table, so that levels differ by rounding."""
    value = np.linspace(0.0, 1.0, 20)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    table = np.rint(linear * 65535).astype(">u2").tobytes()
    curve = b"curv" + bytes(4) + struct.pack(">I", len(value)) + table
    tags = {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve, b"wtpt": xyz_tag(D50)}
    columns = colorants(SRGB, D65_XY).T
    for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True):
        tags[name] = xyz_tag(column)
    return profile(b"RGB ", b"XYZ ", tags)


def gray_profile(gamma: float) -> bytes:
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    return profile(b"GRAY", b"XYZ ", {b"kTRC": curve, b"wtpt": xyz_tag(D50)})


def cmyk_profile() -> bytes:
    """A made-up press: each ink takes light away."""
    return profile(b"CMYK", b"Lab ", {b"A2B0": cmyk_table(), b"wtpt": xyz_tag(D50)}, kind=b"prtr")


def grey_press() -> bytes:
    """Ink on yellowish paper, scanned; its black is dark grey."""
    tags = {b"A2B0": cmyk_table(), b"A2B1": cmyk_table(darkest=12.0)}
    paper = xyz_tag(D50 * [0.95, 0.95, 0.7])
    return profile(b"CMYK", b"Lab ", {**tags, b"wtpt": paper}, kind=b"scnr")


def camera_profile() -> bytes:
    """RGB to Lab by a table, with no way back."""
    steps = np.array([0.0, 1.0])
    r, g, b = np.meshgrid(steps, steps, steps, indexing="ij")
    mean = (r + g + b) / 3
    table = lut_tag(3, 2, 100 * mean, 60 * (r - mean), 60 * (mean - b))
    return profile(b"RGB ", b"Lab ", {b"A2B0": table, b"wtpt": xyz_tag(D50)}, kind=b"scnr")


def cmyk_table(darkest: float = 0.0) -> bytes:
    """Inks to Lab in a table of 5 points a side; full black has lightness `darkest`."""
    side = 5
    steps = np.linspace(0.0, 1.0, side)
    c, m, y, k = np.meshgrid(steps, steps, steps, steps, indexing="ij")
    lightness = 100 * (1 - k) * (1 - 0.45 * c) * (1 - 0.5 * m) * (1 - 0.08 * y)
    a = (1 - k) * (-35 * c + 75 * m - 4 * y)
    b = (1 - k) * (-50 * c - 5 * m + 92 * y)
    return lut_tag(4, side, darkest + lightness * (1 - darkest / 100), a, b)


def lut_tag(
    channels: int,
    side: int,
    lightness: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
) -> bytes:
    """A table of ICC's type lut16 from `channels` to Lab."""
    lab = np.stack([lightness / 100 * 65280, (a + 128) * 256, (b + 128) * 256], axis=-1)
    table = np.clip(np.rint(lab), 0, 65535).astype(">u2").tobytes()
    identity = struct.pack(">9i", *(round(v * 65536) for v in np.eye(3).ravel()))
    ramp = np.array([0, 65535], ">u2").tobytes()
    lut = b"mft2" + bytes(4) + struct.pack(">BBBx", channels, 3, side) + identity
    return lut + struct.pack(">HH", 2, 2) + ramp * channels + table + ramp * 3


def built_in(space: str) -> Any:
    """One of littleCMS's own: sRGB or LAB."""
    made: Any = ImageCms  # says nothing of its types
    return made.createProfile(space)


def xyz_tag(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))


def profile(
    space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr"
) -> bytes:
    text = b"made for a test"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(79),
        b"cprt": b"text" + bytes(4) + text + b"\0",
        **tags,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", 128 + len(table + body), bytes(4), 0x02100000, kind, space,
                       connection)  # fmt: skip
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(v * 65536) for v in D50))
    return head + bytes(128 - len(head)) + table + body


DISPLAY_P3 = rgb_profile(P3, D65_XY, 2.2)
ADOBE_RGB = rgb_profile(ADOBE, D65_XY, 563 / 256)
PROPHOTO = rgb_profile(ROMM, D50_XY, 1.8)
ROUNDED_SRGB = rounded_srgb()
GRAY_18 = gray_profile(1.8)
PRESS = cmyk_profile()
GREY_PRESS = grey_press()
CAMERA = camera_profile()
