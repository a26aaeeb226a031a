"""Which model is chosen, and what is said where none fits."""

from __future__ import annotations

import pytest
from PIL import Image

from partway import images
from partway.choosing import choose_model
from partway.errors import ModelUnsuitable
from partway.examples import EXAMPLES, Example
from partway.noise import Noise


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.name for each in EXAMPLES])
def test_the_shipped_drawings_are_drawings(example: Example) -> None:
    picture = images.load(example.file.read_bytes())
    assert choose_model(None, picture).name == "pocket"


def photograph() -> images.Picture:
    """Fine grain everywhere: what no drawing has."""
    grain = Noise(1, (96, 96, 3))() * 25 + 120
    return images.load(images.read_bytes(Image.fromarray(grain.clip(0, 255).astype("uint8"))))


def test_a_photograph_stops_the_default_and_says_what_to_try() -> None:
    with pytest.raises(ModelUnsuitable, match=r"room\.jpg looks like a photograph.*-m pocket"):
        choose_model(None, photograph(), "room.jpg")


def test_a_named_model_is_taken_as_it_is() -> None:
    assert choose_model("pocket", photograph()).name == "pocket"
    assert choose_model(None, None).name == "pocket"
