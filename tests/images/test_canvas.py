from __future__ import annotations

import numpy as np
from made import encoded
from PIL import Image

from partway import images
from partway.geometry import Extent, canvas_for


def test_canvas_and_back_is_the_identity_at_native_size(icon: Image.Image) -> None:
    rgb = np.asarray(icon)
    canvas = canvas_for(Extent(96, 64), 78, 1)
    canvas = type(canvas)(canvas.source, Extent(96, 64), Extent(128, 64))
    tensor = images.to_canvas(rgb, canvas)
    assert tensor.shape == (3, 64, 128)
    assert -1.0 <= tensor.min() <= tensor.max() <= 1.0
    assert np.array_equal(tensor[:, :, 96:], tensor[:, :, 95:63:-1])  # reflected
    assert np.array_equal(np.rint(images.from_canvas(tensor, canvas)).astype(np.uint8), rgb)


def test_compose_gives_the_source_back_under_its_alpha(icon: Image.Image) -> None:
    rgba = icon.convert("RGBA")
    alpha = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    rgba.putalpha(Image.fromarray(alpha))
    picture = images.load(encoded(rgba))
    result = np.asarray(images.compose(picture.rgb.astype(np.float32), picture))
    assert np.array_equal(result[..., 3], alpha)
    # hidden colours stay, visible ones come back within what the mixing rounded away
    assert np.array_equal(result[:, 0], np.asarray(rgba)[:, 0])
    visible = alpha > 40
    difference = np.abs(result[..., :3].astype(int) - np.asarray(icon).astype(int))
    assert difference[visible].max() <= 255 / 40 / 2 + 1
