"""Every program's rule: golden tables, the ends, and there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import lines

from partway.dialects import (
    DIALECTS,
    KINDS,
    Setting,
    Start,
    convert,
    get_dialect,
    kind_of,
    parse_value,
    start_of,
)
from partway.dialects.kinds import at_size, get_kind
from partway.errors import InvalidRequest, UnknownName
from partway.families import profile_of
from partway.schedule import Schedule, discrete_vp
from partway.strength import sd1_log_nsr, start_noise_fraction

GOLDEN = (Path(__file__).parent / "golden.txt").read_text("utf-8").splitlines()
SD1 = KINDS["sd1"]

# Of the published comparison: value, setting → first step, length, evaluations, sigma
SPREAD = [
    ("diffusers", "sd1", "pndm", None, 20, 0.45, 11, 20, 10, 1.376),
    ("diffusers", "sd1", "dpmpp_2m", None, 20, 0.45, 11, 20, 9, 1.372),
    ("diffusers", "sd3", None, None, 20, 0.05, 19, 20, 1, 0.009),
    ("diffusers", "z-image", None, None, 20, 0.45, 11, 20, 9, 0.711),
    ("diffusers-lcm", "sd1", None, None, 4, 0.31, 0, 4, 4, 0.830),
    ("a1111", "sd1", "dpmpp_2m", None, 20, 0.45, 10, 20, 10, 1.091),
    ("a1111", "sd1", "euler_ancestral", None, 20, 0.31, 13, 20, 7, 0.878),
    ("a1111-hires", "sd1", None, None, 20, 0.05, 380, 400, 20, 0.219),
    ("comfyui", "sd1", None, "simple", 20, 0.33, 40, 60, 20, 0.932),
    ("fooocus", "sd1", None, None, 20, 0.31, 44, 64, 20, 0.359),
    ("krita", "sd1", None, None, 20, 0.05, 76, 80, 4, 0.042),
    ("invokeai", "sd1", "dpmpp_2m", "karras", 20, 0.05, 15, 20, 5, 0.184),
    ("invokeai", "z-image", None, None, 20, 0.33, 13, 20, 7, 0.618),
    ("sdcpp", "flux", None, None, 20, 0.45, 10, 20, 10, 0.760),
    ("sdcpp-noise", "sd1", None, None, 20, 0.45, 14, 20, 6, 0.730),
    ("sdnext", "sd1", None, None, 20, 1.0, 0, 21, 21, 10.425),
    ("drawthings", "z-image", None, None, 20, 0.31, 17, 20, 3, 0.310),
    ("replicate", "flux", None, None, 20, 0.9, 1, 20, 19, 0.984),  # a float's (1 - 0.9) * 20 < 2
]


@pytest.mark.parametrize(
    ("program", "kind", "sampler", "spacing", "steps", "value", "first", "length", "runs", "sigma"),
    SPREAD,
)
def test_published_comparison(
    program: str, kind: str, sampler: str | None, spacing: str | None, steps: int, value: float,
    first: int, length: int, runs: int, sigma: float,
) -> None:  # fmt: skip
    start = start_of(program, value, Setting(steps, KINDS[kind], sampler, spacing))
    assert (start.step, start.length, start.evaluations) == (first, length, runs)
    fraction = start.noise_fraction
    found = fraction if KINDS[kind].is_flow else fraction / (1.0 - fraction)
    assert found == pytest.approx(sigma, abs=6e-4)


@pytest.mark.parametrize("line", GOLDEN, ids=lambda line: " ".join(line.split()[:4]))
def test_golden(line: str) -> None:
    """Levels to 1e-4 and evaluations exactly, for every hundredth."""
    program, kind, spacing, steps, *cells = line.split()
    setting = Setting(int(steps), KINDS[kind], "euler", None if spacing == "-" else spacing)
    changes = {cell.split(":")[0]: cell.split(":")[1:] for cell in cells}
    expected: list[str] = []
    for hundredth in range(1, 101):
        value = hundredth / 100
        expected = changes.get(f"{value:g}", expected)
        try:
            start: Start | None = start_of(program, value, setting)
        except InvalidRequest:
            start = None
        if start is None or expected == ["x"]:
            assert (start, expected) == (None, ["x"]), value
            continue
        assert start.evaluations == int(expected[1]), value
        assert start.noise_fraction == pytest.approx(float(expected[0]), abs=1.01e-4), value


def test_golden_is_what_the_oracle_says() -> None:
    assert list(lines()) == GOLDEN


@pytest.mark.parametrize(
    ("value", "evaluations", "time"), [(0.05, 0, 51), (0.45, 8, 451), (1.0, 18, 951)]
)
def test_ddim_in_a1111_is_a_step_off(value: float, evaluations: int, time: int) -> None:
    start = start_of("a1111", value, Setting(20, SD1, "ddim"))
    assert start.evaluations == evaluations
    assert start.noise_fraction == pytest.approx(SD1.at_time(time))


KEEP = ["partway", "a1111-hires", "comfyui", "swarmui", "invokeai", "drawthings", "stability"]


@pytest.mark.parametrize("name", KEEP)
def test_these_return_the_source_at_0(name: str) -> None:
    start = start_of(name, 0.0, Setting(20, SD1))
    assert (start.noise_fraction, start.evaluations) == (0.0, 0)


@pytest.mark.parametrize("name", ["a1111", "forge", "sdcpp", "sdcpp-noise"])
def test_these_run_one_step_at_0(name: str) -> None:
    start = start_of(name, 0.0, Setting(20, SD1))
    assert start.noise_fraction == pytest.approx(SD1.at_time(0.0))
    assert start.evaluations == 1


@pytest.mark.parametrize("name", ["diffusers-inpaint", "openvino", "fooocus", "krita"])
def test_these_fail_at_0(name: str) -> None:
    with pytest.raises(InvalidRequest, match="0"):
        start_of(name, 0.0, Setting(20, SD1, "euler"))


@pytest.mark.parametrize("name", ["a1111", "comfyui", "krita", "invokeai", "sdcpp", "swarmui"])
def test_at_1_these_keep_some_of_the_source_on_discrete_models(name: str) -> None:
    assert start_of(name, 1.0, Setting(20, SD1)).noise_fraction < 0.94
    assert start_of(name, 1.0, Setting(20, KINDS["flux"])).noise_fraction == 1.0


def test_inverted_ends() -> None:
    setting = Setting(20, KINDS["flux"])
    assert start_of("mflux", 0.0, setting).noise_fraction == 1.0
    assert start_of("mflux", 1.0, setting).evaluations == 0
    assert start_of("diffusers-inpaint", 1.0, Setting(20, SD1)).noise_fraction == 1.0
    assert start_of("ideogram", 100.0, Setting(20, SD1)).noise_fraction == 0.0


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.45, 0.99, 1.0])
def test_our_own_is_the_dial(strength: float) -> None:
    start = start_of("partway", strength, Setting(20, SD1))
    assert start.noise_fraction == start_noise_fraction(strength)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(DIALECTS)),
    kind=st.sampled_from(["sd1", "sdxl", "flux"]),
    steps=st.integers(1, 40),
    hundredth=st.integers(0, 100),
)
def test_there_and_back(name: str, kind: str, steps: int, hundredth: int) -> None:
    """A value's own level is met exactly, and the interval found lies on it."""
    dialect, setting = get_dialect(name), Setting(steps, KINDS[kind], "euler")
    value = dialect.low + (dialect.high - dialect.low) * hundredth / 100
    try:
        start = start_of(name, value, setting)
    except InvalidRequest:
        return
    match = convert(start.noise_fraction, name, setting)
    assert match.away == pytest.approx(0.0, abs=1e-9)
    assert match.low <= match.value <= match.high
    for inside in (match.low, match.value, match.high):
        found = start_of(name, inside, setting).noise_fraction
        assert found == pytest.approx(start.noise_fraction, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    source=st.sampled_from(["a1111", "comfyui", "drawthings", "sdcpp"]),
    target=st.sampled_from(sorted(DIALECTS)),
    hundredth=st.integers(1, 100),
)
def test_no_hundredth_is_nearer(source: str, target: str, hundredth: int) -> None:
    setting = Setting(20, SD1, "euler")
    dialect = get_dialect(target)
    wanted = start_of(source, hundredth / 100, setting).noise_fraction
    try:
        match = convert(wanted, target, setting)
    except InvalidRequest:
        assert target == "mflux"  # not for this kind
        return
    for i in range(101):
        value = dialect.low + (dialect.high - dialect.low) * i / 100
        try:
            other = start_of(target, value, setting).noise_fraction
        except InvalidRequest:
            continue
        assert abs(other - wanted) >= abs(match.away) - 1e-9


@pytest.mark.parametrize("name", ["partway", "drawthings", "stability-v1", "ideogram"])
def test_slopes_meet_any_level(name: str) -> None:
    match = convert(0.597301, name, Setting(20, SD1))
    assert match.away == pytest.approx(0.0, abs=1e-9)
    assert match.low == match.high == pytest.approx(match.value, abs=1e-9)


def test_intervals_are_open_where_the_next_begins() -> None:
    setting = Setting(20, SD1, "euler")
    match = convert(start_of("a1111", 0.45, setting).noise_fraction, "a1111", setting)
    assert (match.low, match.high) == (0.45, 0.4999)
    assert start_of("a1111", 0.5, setting) != match.start


def test_rising_never_lowers_the_noise_of_an_upright_control() -> None:
    for name, dialect in DIALECTS.items():
        if dialect.inverted or name in {"sdnext", "mflux", "diffusers-lcm", "krita"}:
            continue
        values = [dialect.low + (dialect.high - dialect.low) * i / 50 for i in range(1, 51)]
        levels: list[float] = []
        for value in values:
            try:
                levels.append(start_of(name, value, Setting(20, SD1, "euler")).noise_fraction)
            except InvalidRequest:
                continue
        assert levels == sorted(levels), name


def test_words_and_percent() -> None:
    assert parse_value(get_dialect("fooocus"), "Strong") == 0.85
    assert parse_value(get_dialect("a1111"), "45%") == pytest.approx(0.45)
    assert parse_value(get_dialect("a1111"), "0,45") == 0.45
    with pytest.raises(InvalidRequest, match="subtle, strong, upscale"):
        parse_value(get_dialect("fooocus"), "much")


@pytest.mark.parametrize(
    ("name", "value", "steps", "words"),
    [
        ("comfyu", 0.5, 20, "did you mean 'comfyui'"),
        ("a1111", 1.2, 20, "allowed is 0 … 1$"),
        ("krita", 60.0, 20, "allowed is 0 … 1; try 60%"),
        ("a1111", float("nan"), 20, "allowed is 0 … 1"),
        ("novelai", 0.0, 20, "allowed is 0.01 … 0.99"),
        ("a1111", 0.5, 0, "--steps 20"),
        ("diffusers", 0.04, 20, "from about 0.05"),
        ("mflux", 0.5, 20, "--model-kind flux"),
    ],
)
def test_errors_say_what_is_allowed(name: str, value: float, steps: int, words: str) -> None:
    with pytest.raises((InvalidRequest, UnknownName), match=words):
        start_of(name, value, Setting(steps, SD1, "euler"))


def test_a_spacing_a_program_has_not() -> None:
    with pytest.raises(UnknownName, match="karras"):
        start_of("a1111", 0.5, Setting(20, SD1, "euler", "beta"))


def test_kinds_of_our_models() -> None:
    assert kind_of(profile_of("pocket").schedule).is_flow
    assert kind_of(discrete_vp(sd1_log_nsr())).table == SD1.table
    assert KINDS["flux"].shift == pytest.approx(3.158, abs=1e-3)
    assert at_size(KINDS["flux"], 256, 256).shift == pytest.approx(1.6487, abs=1e-4)
    assert at_size(SD1, 256, 256) == SD1
    assert kind_of(Schedule(shift=1.0), "flux") == KINDS["flux-schnell"]
    assert kind_of(Schedule(shift=2.0), "qwen_image").name == "qwen-image"


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("SDXL", "sdxl"), ("sd1.5", "sd1"), ("flux_schnell", "flux-schnell"), ("Qwen", "qwen-image")],
)
def test_kinds_as_people_type_them(typed: str, kind: str) -> None:
    assert get_kind(typed) is KINDS[kind]


def comfyui_flow(kind: str, steps: int, value: float) -> float:
    """First level of the last steps of the longer list that "simple" takes from a table."""
    shift, size = {"qwen-image": (np.exp(1.15), 10_000), "flux-schnell": (1.0, 1000)}[kind]
    u = np.arange(1, size + 1) / size
    table, length = shift * u / (1.0 + (shift - 1.0) * u), int(steps / value)
    return [table[-(1 + int(x * size / length))] for x in range(length)][-steps]


@pytest.mark.parametrize("kind", ["qwen-image", "flux-schnell"])
def test_comfyui_has_tables_and_shifts_of_its_own(kind: str) -> None:
    """FLUX.1 schnell is no "FLUX" to it, and Qwen-Image's shift is that of FLUX.1 dev."""
    for steps, value in ((4, 0.6), (7, 0.45), (30, 0.33)):
        start = start_of("comfyui", value, Setting(steps, at_size(KINDS[kind], 512, 512)))
        assert start.noise_fraction == pytest.approx(comfyui_flow(kind, steps, value), abs=1e-6)


def test_invokeai_rounds_the_step_of_qwen_image() -> None:
    """Neither optimized, as Flux, nor rounded down, as Z-Image."""
    for name in ("invokeai", "invokeai-plain"):
        start = start_of(name, 0.48, Setting(20, KINDS["qwen-image"]))
        assert (start.step, start.evaluations) == (10, 10)
    assert start_of("invokeai", 0.48, Setting(20, KINDS["z-image"])).step == 10
    assert start_of("invokeai", 0.47, Setting(20, KINDS["qwen-image"])).step == 11
    assert start_of("invokeai", 0.47, Setting(20, KINDS["z-image"])).step == 10


def test_every_dialect_names_its_source_and_default() -> None:
    setting = {True: Setting(20, KINDS["flux"]), False: Setting(20, SD1)}
    for name, dialect in DIALECTS.items():
        assert (dialect.source and dialect.rule.__doc__) or dialect.approximate, name
        if dialect.default is not None:
            start_of(name, dialect.default, setting[name == "mflux"])
