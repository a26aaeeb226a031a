"""Names of other programs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partway.errors import UnknownName
from partway.samplers import SAMPLERS
from partway.samplers.names import SAMPLER_ALIASES, resolve_sampler, resolve_spacing
from partway.spacings import SPACINGS


@pytest.mark.parametrize("name", sorted(SAMPLERS))
@pytest.mark.parametrize("spacing", [None, *sorted(SPACINGS)])
def test_our_own_names_mean_themselves(name: str, spacing: str | None) -> None:
    assert resolve_sampler(name) == (name, None)
    if spacing is not None:
        assert resolve_spacing(spacing) == spacing
        for join in (" ", "_", "-"):
            assert resolve_sampler(f"{name}{join}{spacing}") == (name, spacing)


@pytest.mark.parametrize(
    ("typed", "sampler", "spacing"),
    [
        ("Euler a", "euler_ancestral", None),
        ("euler_a", "euler_ancestral", None),
        ("k_euler", "euler", None),
        ("k_euler_a", "euler_ancestral", None),
        ("sample_euler_ancestral", "euler_ancestral", None),
        ("DDIM", "ddim", None),
        ("dpm++ 2m", "dpmpp_2m", None),
        ("dpm++2m", "dpmpp_2m", None),
        ("k_dpmpp_2m", "dpmpp_2m", None),
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("DPM++ 2M SDE Exponential", "dpmpp_2m_sde", "exponential"),
        ("DPM++ SDE Karras", "dpmpp_sde", "karras"),
        ("Euler A Trailing", "euler_ancestral", "uniform"),
        ("Euler SGM Uniform", "euler", "sgm_uniform"),
        ("Heun Beta", "heun", "beta"),
        ("dpmpp_2m_sde_gpu", "dpmpp_2m_sde", None),
        ("dpmpp_2m_sde_k", "dpmpp_2m_sde", "karras"),
        ("unipc_k", "unipc", "karras"),
        ("uni_pc", "unipc", None),
        ("uni_pc_bh2", "unipc", None),
        ("UniPC", "unipc", None),
        ("LCM", "lcm", None),
        ("EulerDiscreteScheduler", "euler", None),
        ("EulerAncestralDiscreteScheduler", "euler_ancestral", None),
        ("FlowMatchEulerDiscreteScheduler", "euler", None),
        ("HeunDiscreteScheduler", "heun", None),
        ("DPMSolverMultistepScheduler", "dpmpp_2m", None),
        ("UniPCMultistepScheduler", "unipc", None),
        ("EULER_DISCRETE", "euler", None),
    ],
)
def test_usual_names(typed: str, sampler: str, spacing: str | None) -> None:
    assert resolve_sampler(typed) == (sampler, spacing)


def test_usual_spacings() -> None:
    assert resolve_spacing("SGM Uniform") == "sgm_uniform"
    assert resolve_spacing("Karras") == "karras"
    assert resolve_spacing("trailing") == "uniform"


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("DPM++ 3M SDE", "dpmpp_2m_sde"),
        ("DPM++ 2S a", "dpmpp_2m"),
        ("eulr", "euler"),
        ("k_huen", "heun"),
    ],
)
def test_what_there_is_not_is_told_with_the_nearest(typed: str, nearest: str) -> None:
    with pytest.raises(UnknownName, match=f"did you mean '{nearest}'") as error:
        resolve_sampler(typed)
    assert repr(typed) in str(error.value)
    assert all(name in str(error.value) for name in SAMPLERS)


def test_no_spacing_is_guessed() -> None:
    with pytest.raises(UnknownName, match="did you mean 'karras'"):
        resolve_spacing("Karas")
    for name in ("karras", "beta", "", "k_"):
        with pytest.raises(UnknownName):
            resolve_sampler(name)


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_a_typed_error(text: str) -> None:
    try:
        sampler, spacing = resolve_sampler(text)
    except UnknownName:
        return
    assert sampler in SAMPLERS
    assert spacing is None or spacing in SPACINGS


def test_aliases_lead_to_samplers() -> None:
    assert set(SAMPLER_ALIASES.values()) <= set(SAMPLERS)
