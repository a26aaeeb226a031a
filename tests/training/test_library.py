"""Pocket's library: what a prompt finds, how it reaches the denoiser, and what is taken of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
ENTRIES, WORDS, CONTEXT = 5, 40, 256


def script(name: str) -> Any:
    return import_module(name)


@pytest.fixture(scope="module")
def library() -> Any:
    """Five pictures; words 2 … 6 each find one of them."""
    module, rng = script("library"), np.random.default_rng(0)
    finder = module.Finder(
        torch.zeros(WORDS, 100), torch.arange(ENTRIES), torch.zeros(ENTRIES).long()
    )
    with torch.no_grad():
        for parameter in finder.think.parameters():
            parameter.zero_()
        finder.own.weight[2 : 2 + ENTRIES] = 6 * torch.eye(ENTRIES, module.WIDTH)
        finder.subject.copy_(6 * torch.eye(ENTRIES, module.WIDTH))
        finder.style.zero_()
    shape = (ENTRIES, module.SIDE**2, module.STAGES)
    parts = {
        "entries": np.arange(ENTRIES),
        "codes": rng.standard_normal((module.STAGES, 30, 48)).astype(np.float16),
        "indices": rng.integers(0, 30, shape).astype(np.uint16),
    }
    return module.Library(finder.eval(), parts, CONTEXT)


def asking(*words: int) -> Any:
    return torch.tensor([[*words, *[0] * (24 - len(words))]])


def codec() -> Any:
    """Random components; the first three are the means of red, green and blue."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((192, 48))
    rows[:, :3] = np.repeat(np.eye(3), 64, axis=0)
    basis = np.linalg.qr(rows)[0].T.astype(np.float32)
    ones = np.ones(48, np.float32)
    return script("codec").Codec(basis, np.zeros(192, np.float32), ones, ones)


def found_in(tokens: Any, height: int = 16, width: int = 16) -> Any:
    """(FOUND, C, h, w) latents, as the denoiser unpacks them."""
    model = script("model")
    denoiser = model.Denoiser(model.Shape(vocabulary=WORDS), codec())
    context = torch.cat([torch.zeros(1, 24, CONTEXT), tokens], dim=1)
    return denoiser.split(context, torch.zeros(1, 48, height, width))[1][0]


def test_a_word_finds_its_picture_and_the_denoiser_unpacks_it(library: Any) -> None:
    for entry in range(ENTRIES):
        latents = found_in(library(asking(2 + entry)))
        torch.testing.assert_close(latents[0], library.pictures(torch.tensor([[entry]]))[0, 0])


def test_what_is_barred_is_not_found(library: Any) -> None:
    barred = torch.tensor([[True, False, False, False, False]])
    latents = found_in(library(asking(2), barred))
    held = library.pictures(torch.tensor([[0]]))[0, 0]
    assert all((v - held).abs().max() > 0.1 for v in latents)


def test_no_words_find_nothing(library: Any) -> None:
    assert not library(asking()).any()


def test_the_finder_is_surer_of_a_word_it_knows(library: Any) -> None:
    assert sure_of(library, 2) > 0.9
    assert sure_of(library, 30) < 0.5


def sure_of(library: Any, word: int) -> float:
    """Share of the best picture, as the denoiser is told."""
    return float(library(asking(word))[0, 0, 192])


def test_a_folded_finder_finds_the_same(library: Any) -> None:
    folded = script("library").FoldedFinder(library.finder, ["flat"] * ENTRIES)
    ids = torch.cat([asking(2), asking(3, 4), asking(5, 6)])
    torch.testing.assert_close(folded(ids), library.finder(ids), rtol=0.02, atol=0.05)


def test_silhouettes_are_reluctant(library: Any) -> None:
    folded = script("library").FoldedFinder
    plain = folded(library.finder, ["flat"] * ENTRIES)(asking(3))
    with_one = folded(library.finder, ["flat", "silhouette", *["flat"] * (ENTRIES - 2)])(asking(3))
    torch.testing.assert_close(plain - with_one, torch.tensor([[0, 2.5, 0, 0, 0]]))


def test_a_table_keeps_rows_to_a_part_in_250() -> None:
    rows = torch.randn(50, 64, generator=torch.Generator().manual_seed(0)) * 7
    kept = script("library").Table(rows)(torch.arange(50))
    assert ((kept - rows).abs() <= rows.abs().amax(1, keepdim=True) / 250).all()


def test_code_books_hold_what_repeats_exactly() -> None:
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(20, 8, generator=generator)
    points = kinds[torch.randint(20, (6000,), generator=generator)]
    book = script("library").code_book(points, 4, generator)
    owner = script("library").nearest(points, book)
    torch.testing.assert_close(book[owner], points, rtol=0, atol=1e-5)


@pytest.fixture
def denoiser() -> Any:
    model = script("model")
    torch.manual_seed(0)
    return model.Denoiser(model.Shape(vocabulary=WORDS), codec()).eval()


def context_of(library: Any, *words: int) -> Any:
    return torch.cat([torch.zeros(1, 24, CONTEXT), library(asking(*words))], dim=1)


def test_the_gate_takes_what_was_found_as_it_is(denoiser: Any, library: Any) -> None:
    with torch.no_grad():
        denoiser.outlet.bias[-1] = 40.0
        noise = torch.randn(1, 48, 16, 16)
        x0 = denoiser(noise, torch.tensor([1000.0]), context_of(library, 2))
    torch.testing.assert_close(x0[0], library.pictures(torch.tensor([[0]]))[0, 0])


def test_with_little_noise_the_sample_stays(denoiser: Any, library: Any) -> None:
    with torch.no_grad():
        sample = torch.randn(1, 48, 16, 16)
        x0 = denoiser(sample, torch.tensor([1.0]), context_of(library, 2))
    assert (x0 - sample).abs().max() < 0.01


def halves() -> tuple[Any, Any]:
    """Latents (48, 16, 16): red left, blue right; and their tokens."""
    picture = torch.zeros(1, 3, 128, 128)
    picture[:, 0, :, :64], picture[:, 2, :, 64:] = 1.0, 1.0
    latents = codec().encode(picture)
    tokens = torch.nn.functional.pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)
    return latents[0], torch.nn.functional.pad(tokens, (0, CONTEXT - tokens.shape[-1]))


def test_on_a_wide_canvas_the_picture_is_centred_and_its_margin_goes_on() -> None:
    picture, tokens = halves()
    placed = found_in(tokens, 16, 32)[0]
    torch.testing.assert_close(placed[..., 8:24], picture)
    torch.testing.assert_close(placed[..., :8], picture[..., :1].expand(-1, -1, 8))
    torch.testing.assert_close(placed[..., 24:], picture[..., -1:].expand(-1, -1, 8))


def test_on_a_small_canvas_the_picture_is_resized_in_pixels() -> None:
    picture, tokens = halves()
    placed = found_in(tokens, 12, 12)[0]
    torch.testing.assert_close(placed[..., :6], picture[:, :12, :6])
    torch.testing.assert_close(placed[..., 6:], picture[:, :12, -6:])
