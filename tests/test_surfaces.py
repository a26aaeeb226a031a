"""Even surfaces: mottling goes; new shading, clear lines and the source's own texture stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.engine import Engine
from partway.examples import EXAMPLES
from partway.images import load
from partway.request import EditRequest
from partway.surfaces import smooth
from partway.windows import box_blur

SIDE = 128
TOLERANCE = 0.1


def two_halves() -> np.ndarray:
    """(3, 128, 128): dark left, light right."""
    plane = np.full((SIDE, SIDE), -0.5, np.float32)
    plane[:, SIDE // 2 :] = 0.5
    return plane[None].repeat(3, 0)


def mottling(depth: float) -> np.ndarray:
    """(3, 128, 128) noise in patches of 4 × 4."""
    noise = np.random.default_rng(0).normal(0, depth, (3, SIDE // 4, SIDE // 4))
    return noise.repeat(4, 1).repeat(4, 2).astype(np.float32)


def test_faint_mottling_goes_and_new_shading_stays() -> None:
    source = two_halves()
    shade = np.linspace(-0.4, 0.4, SIDE, dtype=np.float32)[:, None]  # runs down both halves
    wanted = source * 0.5 + shade  # the halves come nearer to one another as well
    result = smooth(wanted + mottling(0.04), source, TOLERANCE, 0.3)
    inside = np.s_[:, 12:-12, 12:-12]
    off = np.square(result - wanted)[inside].mean() ** 0.5
    assert off < 0.04 / 2.5
    step = result[0, :, SIDE // 2 + 4] - result[0, :, SIDE // 2 - 5]
    assert step == pytest.approx(0.5, abs=0.1)  # at the source's edge the change may jump


def test_clear_lines_stay() -> None:
    source = two_halves()
    result = source.copy()
    result[:, 60:64, 10:50] = 1.0
    smoothed = smooth(result, source, TOLERANCE, 0.3)
    assert (smoothed[:, 60:64, 14:46] > 0.9).all()


def test_where_the_source_has_texture_nothing_is_touched() -> None:
    check = np.where(np.indices((SIDE, SIDE)).sum(axis=0) % 2, 0.6, -0.6).astype(np.float32)
    source = check[None].repeat(3, 0)
    flat = np.zeros_like(source)  # an edit that takes the texture away
    assert np.abs(smooth(flat, source, TOLERANCE, 0.3)).max() < 0.01


@given(st.floats(0.0, 0.3), st.floats(0.0, 1.0))
def test_no_more_is_taken_than_the_tolerance_allows(depth: float, noise_fraction: float) -> None:
    source = two_halves()
    result = source + mottling(depth)
    taken = smooth(result, source, TOLERANCE, noise_fraction) - result
    assert np.square(taken).mean() ** 0.5 <= TOLERANCE * min(1.0, 2 * (1 - noise_fraction)) + 1e-6


def test_from_pure_noise_nothing_of_a_source_is_used() -> None:
    source = two_halves()
    result = source + mottling(0.05)
    assert smooth(result, source, TOLERANCE, 1.0) is result
    assert np.abs(smooth(result, source, TOLERANCE, 0.999) - result).max() < 0.005


def test_each_position_may_have_a_start_of_its_own() -> None:
    source = two_halves()
    result = source + mottling(0.05)
    starts = np.full((SIDE, SIDE), 0.3, np.float32)
    starts[:, SIDE // 2 :] = 1.0
    smoothed = smooth(result, source, TOLERANCE, starts)
    left, right = np.s_[:, :, : SIDE // 2], np.s_[:, :, SIDE // 2 :]
    wanted = smooth(result, source, TOLERANCE, 0.3)
    assert smoothed[left] == pytest.approx(wanted[left], abs=1e-6)
    assert (smoothed[right] == result[right]).all()
    assert (smooth(source, source, TOLERANCE, starts) == source).all()  # nothing over nothing


def test_a_picture_that_did_not_change_does_not() -> None:
    source = two_halves() + mottling(0.2)
    assert smooth(source, source, TOLERANCE, 0.3) == pytest.approx(source, abs=1e-6)


@pytest.mark.parametrize(("height", "width"), [(1, 64), (63, 64), (64, 63), (33, 65)])
def test_sides_of_any_length(height: int, width: int) -> None:
    source = np.full((3, height, width), 0.5, np.float32)
    result = source - 0.3 + np.random.default_rng(0).normal(0, 0.02, source.shape)
    smoothed = smooth(result.astype(np.float32), source, TOLERANCE, 0.3)
    assert smoothed.shape == source.shape
    assert smoothed.std() <= result.std() / 2


def test_pocket_leaves_the_foxs_face_smooth() -> None:
    """Fine unevenness of the change, in grey levels of 255; without the rule 1.0."""
    fox = next(each for each in EXAMPLES if each.name == "fox")
    data = fox.file.read_bytes()
    source = load(data, "fox").rgb.astype(np.float32)
    result = Engine().run(EditRequest(prompt=fox.prompt, source=data, strength=0.35, seed=1))
    luma = (np.asarray(result.image.convert("RGB"), np.float32) - source).mean(axis=-1)
    forehead = np.s_[90:130, 90:165]
    assert (luma - box_blur(luma, 8))[forehead].std() < 0.8
