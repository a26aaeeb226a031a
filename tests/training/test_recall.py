"""How much of a picture that was looked up comes into a denoised one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
FOLDER = Path(__file__).parent.parent.parent / "training" / "pocket"
CHANNELS, CONTEXT = 4, 32


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    """The scripts import one another by bare names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(FOLDER), *sys.path])
        yield


@pytest.fixture(scope="module")
def recall() -> Any:
    return import_module("recall").Recall(CHANNELS)


def noise(seed: int, height: int = 16, width: int = 16) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, CHANNELS, height, width, generator=generator)


def tokens_of(picture: Any, share: float) -> Any:
    """As the text encoder writes them: 2 x 2 positions a token, then the share."""
    tokens = torch.zeros(1, 64, CONTEXT)
    unshuffled = torch.nn.functional.pixel_unshuffle(picture, 2).flatten(2).transpose(1, 2)
    tokens[..., : 4 * CHANNELS] = unshuffled
    tokens[..., 4 * CHANNELS] = share
    return tokens


def recalled(recall: Any, own: Any, sample: Any, t: float, picture: Any, share: float) -> Any:
    return recall(own, sample, torch.tensor([1000 * t]), tokens_of(picture, share))


def test_pure_noise_gives_the_picture(recall: Any) -> None:
    found, own = noise(1), noise(2)
    x0 = recalled(recall, own, noise(3), 1.0, found, 0.9)
    assert (x0 - found).abs().max() < 0.01


def test_an_unsure_finder_has_less_say(recall: Any) -> None:
    found, own, x = noise(1), noise(2), noise(3)
    far = [float((recalled(recall, own, x, 1.0, found, s) - own).abs().mean()) for s in (1e-5, 0.9)]
    assert far[0] < 0.1 * far[1]


@pytest.mark.parametrize("t", [0.05, 0.5, 1.0])
def test_without_words_the_estimate_stays_to_the_bit(recall: Any, t: float) -> None:
    own = noise(2)
    assert torch.equal(recalled(recall, own, noise(3), t, noise(1), 0.0), own)


def test_little_noise_keeps_what_is_there(recall: Any) -> None:
    source = noise(4)
    sample = 0.7 * source + 0.3 * noise(5)
    x0 = recalled(recall, source, sample, 0.3, noise(1), 1.0)
    assert (x0 - source).abs().max() < 0.01


def test_what_agrees_is_taken_with_little_noise_too(recall: Any) -> None:
    source, found = noise(4), noise(4)
    found[..., 8:] = noise(1)[..., 8:]  # the right half is another picture
    sample, own = 0.7 * source + 0.3 * noise(5), source + 0.3
    x0 = recalled(recall, own, sample, 0.3, found, 1.0)
    assert (x0 - found)[..., :6].abs().max() < 0.01
    assert (x0 - own)[..., 10:].abs().max() < 0.01


@pytest.mark.parametrize(("height", "width"), [(16, 24), (24, 16)])
def test_a_longer_canvas_has_the_picture_in_its_middle(
    recall: Any, height: int, width: int
) -> None:
    found, own, x = noise(1), noise(2, height, width), noise(3, height, width)
    x0 = recalled(recall, own, x, 1.0, found, 0.9)
    top, left = (height - 16) // 2, (width - 16) // 2
    assert (x0[..., top : top + 16, left : left + 16] - found).abs().max() < 0.01
