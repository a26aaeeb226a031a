"""The dial's promises on the embedded model."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from partway.engine import Engine
from partway.images import read_bytes
from partway.request import EditRequest
from partway.result import EditResult

PAIRS = Path(os.environ.get("PARTWAY_PAIRS", "../shared/pocket-v0/pairs"))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def request(icon: Image.Image, **fields: Any) -> EditRequest:
    fields = {"prompt": "blue circle, 3d", "model": "pocket"} | fields
    return EditRequest(source=read_bytes(icon), **fields)


def pixels(outcome: object) -> np.ndarray[Any, Any]:
    assert isinstance(outcome, EditResult), outcome
    return np.asarray(outcome.image)


def test_both_ends_are_exact(engine: Engine, icon: Image.Image) -> None:
    nothing = engine.run(request(icon, strength=0.0))
    assert np.array_equal(pixels(nothing), np.asarray(icon))
    everything = engine.run(request(icon, strength=1.0, full_steps=6))
    upside_down = engine.run(request(icon.rotate(180), strength=1.0, full_steps=6))
    text = EditRequest(prompt="blue circle, 3d", model="pocket", size=icon.size, full_steps=6)
    assert np.array_equal(pixels(everything), pixels(engine.run(text)))
    assert np.array_equal(pixels(everything), pixels(upside_down))


def test_exact_mode_repeats_bit_for_bit(engine: Engine, icon: Image.Image) -> None:
    asked = request(icon, strength=0.5, full_steps=8)
    first = pixels(engine.run(asked))
    engine.run_many([asked.with_(seed=i) for i in range(3)])
    assert np.array_equal(first, pixels(engine.run(asked)))
    assert np.array_equal(first, pixels(Engine().run(asked)))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_neighbours_in_a_shared_batch_barely_matter(
    precision: str, engine: Engine, icon: Image.Image
) -> None:
    requests = [
        request(icon, strength=s, seed=i, steps=n, precision=precision, prompt=p)
        for i, (s, n, p) in enumerate([(0.3, 3, "red heart"), (0.6, 6, "owl, flat"), (1.0, 5, "")])
    ]
    for one, outcome in zip(requests, engine.run_many(requests), strict=True):
        difference = pixels(outcome).astype(float) - pixels(engine.run(one)).astype(float)
        if precision == "fp32":
            assert np.abs(difference).max() <= 1.0
        else:
            psnr = 10 * np.log10(255**2 / max(np.mean(difference**2), 1e-9))
            assert psnr >= 40.0


def test_change_tends_to_nothing_and_rises_with_the_dial(engine: Engine, icon: Image.Image) -> None:
    dial = [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9]
    outcomes = engine.run_many([request(icon, strength=s, full_steps=10) for s in dial])
    changes = [
        float(np.abs(pixels(o).astype(float) - np.asarray(icon).astype(float)).mean())
        for o in outcomes
    ]
    assert changes == sorted(changes)
    assert changes[0] < 0.5  # of 255 grey levels


@pytest.mark.parametrize("steps", [1, 4])
def test_hundredths_of_the_dial_differ_at_few_steps(
    steps: int, engine: Engine, icon: Image.Image
) -> None:
    dial = [0.05, 0.06, 0.33, 0.34, 0.5, 0.51, 0.74, 0.75, 0.76, 0.94, 0.95]
    outcomes = engine.run_many([request(icon, strength=s, steps=steps) for s in dial])
    for here, there in pairwise(outcomes):
        assert not np.array_equal(pixels(here), pixels(there))
    assert [o.evaluations for o in outcomes if isinstance(o, EditResult)] == [steps] * len(dial)


def test_size_and_alpha_are_the_sources(engine: Engine, icon: Image.Image) -> None:
    tall = icon.resize((61, 203)).convert("RGBA")
    tall.putalpha(Image.linear_gradient("L").resize(tall.size))
    result = engine.run(request(tall, strength=0.4, steps=2))
    assert result.image.size == (61, 203)
    assert np.array_equal(pixels(result)[..., 3], np.asarray(tall)[..., 3])


@pytest.mark.skipif("PARTWAY_FULL" not in os.environ, reason="minutes: runs in make test-full")
def test_the_dial_is_even(engine: Engine) -> None:
    """Over 20 pictures mean change rises with every 0.01, none larger than 3 × the median step."""
    dial = [round(0.05 + 0.01 * i, 2) for i in range(91)]
    files = sorted(PAIRS.glob("*.png"))[:: len(list(PAIRS.glob("*.png"))) // 20][:20]
    total = np.zeros(len(dial))
    for file in files:
        with Image.open(file) as drawing:
            white = Image.new("RGBA", drawing.size, "white")
            white.alpha_composite(drawing.convert("RGBA"))
        source = white.convert("RGB")
        prompt = file.name.split(".")[0].replace("-", " ") + ", 3d"
        outcomes = engine.run_many(
            [request(source, strength=s, steps=6, prompt=prompt) for s in dial]
        )
        base = np.asarray(source).astype(float)
        total += [np.sqrt(np.mean((pixels(o).astype(float) - base) ** 2)) for o in outcomes]
    steps = np.diff(total / len(files))
    assert (steps > 0).all(), steps
    assert steps.max() <= 3 * np.median(steps), steps
