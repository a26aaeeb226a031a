"""Checkpoints are let go when others need the room; never those that run."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from partway import engine as engine_module
from partway import model_cache
from partway.checkpoints import device
from partway.engine import Engine
from partway.families import Family, Profile, load_family, profile_of
from partway.families.analytic import Analytic
from partway.model_cache import ModelCache, on_disk
from partway.request import EditRequest

ANALYTIC = profile_of("analytic")


class Heavy(Analytic):
    """Says that it weighs 10 bytes."""

    nbytes = 10


def loader(loads: list[str], kind: type[Analytic] = Heavy) -> Callable[[Profile, str], Family]:
    def load(profile: Profile, precision: str) -> Family:
        loads.append(f"{profile.name} {precision}")
        return kind(profile)

    return load


@pytest.fixture
def loads() -> list[str]:
    return []


def cache_of(budget: int, loads: list[str]) -> Callable[..., Family]:
    cache, load = ModelCache(budget), loader(loads)

    def get(name: str, precision: str = "auto") -> Family:
        profile = replace(ANALYTIC, name=name)
        return cache.get(profile, precision, lambda: load(profile, precision))

    return get


def test_the_one_used_longest_ago_is_let_go(loads: list[str]) -> None:
    get = cache_of(20, loads)
    watched = weakref.ref(get("b"))
    for name in ("a", "b", "a", "c"):
        get(name)
    assert watched() is None
    get("a")
    get("c")
    assert loads == ["b auto", "a auto", "c auto"]
    get("b")
    assert loads[3:] == ["b auto"]


def test_what_somebody_holds_is_never_let_go(loads: list[str]) -> None:
    get = cache_of(20, loads)
    held = get("a")
    for name in ("b", "c", "d", "b", "c"):
        get(name)
    assert get("a") is held
    assert loads == ["a auto", "b auto", "c auto", "d auto", "b auto", "c auto"]
    del held
    get("b")
    get("c")
    get("a")
    assert loads[6:] == ["b auto", "c auto", "a auto"]


def test_one_that_is_too_large_is_there_while_it_is_the_last(loads: list[str]) -> None:
    get = cache_of(5, loads)
    assert get("a") is get("a")
    get("b")
    get("b")
    assert loads == ["a auto", "b auto"]


def test_a_precision_and_what_auto_comes_to_are_one(loads: list[str]) -> None:
    get = cache_of(5, loads)
    assert get("a", "fp32") is get("a", get("a", "fp32").precision)
    one = get("a", "fp32")
    assert get("a", "auto") is one
    assert get("a", "auto") is one
    assert len(loads) == 2  # what auto comes to is known once it was loaded


def test_room_is_made_before_the_next_is_loaded(tmp_path: Path, loads: list[str]) -> None:
    (tmp_path / "weights.safetensors").write_bytes(bytes(15))
    (tmp_path / "notes.bin").write_bytes(bytes(1000))
    coming = replace(ANALYTIC, name="coming", folder=tmp_path)
    assert on_disk(coming) == 15
    cache, load = ModelCache(20), loader(loads)
    watched = weakref.ref(cache.get(ANALYTIC, "auto", lambda: load(ANALYTIC, "auto")))

    def look() -> Family:
        assert watched() is None
        return load(coming, "auto")

    cache.get(coming, "auto", look)
    assert len(loads) == 2


def test_an_engine_keeps_what_runs_and_lets_go_of_what_is_done(
    monkeypatch: pytest.MonkeyPatch, loads: list[str]
) -> None:
    monkeypatch.setattr(engine_module, "load_family", loader(loads))
    engine = Engine(model_bytes=5)
    other = replace(ANALYTIC, name="other")
    run = engine.live()
    request = EditRequest(prompt="red", model="analytic", steps=3, size=(8, 8))
    list(run.add(0, request, "exact"))
    for _ in range(2):
        engine.family(other)
        engine.family(ANALYTIC)  # still there: a request runs on it
        list(run.step())
    assert loads == ["analytic auto", "other auto", "other auto"]
    while len(run):
        list(run.step())
    engine.family(other)
    engine.family(ANALYTIC)
    assert loads[3:] == ["other auto", "analytic auto"]


def test_threads_that_switch_models_all_get_theirs(
    monkeypatch: pytest.MonkeyPatch, loads: list[str]
) -> None:
    monkeypatch.setattr(engine_module, "load_family", loader(loads))
    engine = Engine(model_bytes=15)
    failed: list[str] = []

    def work(name: str) -> None:
        for _ in range(50):
            family = engine.family(replace(ANALYTIC, name=name))
            if family.profile.name != name:
                failed.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(loads) >= 4


def test_room_is_half_of_the_machine_or_of_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTWAY_DEVICE", "cpu")
    monkeypatch.setattr(device, "LIMIT", tmp_path / "limit")
    whole = device.capacity()
    assert whole > 2**28
    (tmp_path / "limit").write_text("max\n")
    assert device.capacity() == whole
    (tmp_path / "limit").write_text("2000000\n")
    assert device.capacity() == 1_000_000


def test_the_machine_is_asked_for_its_room_once_a_load(
    monkeypatch: pytest.MonkeyPatch, loads: list[str]
) -> None:
    asked: list[int] = []

    def capacity() -> int:
        asked.append(len(loads))
        return 15 if len(loads) < 2 else 100

    monkeypatch.setattr(model_cache, "capacity", capacity)
    cache, load = ModelCache(), loader(loads)

    def get(name: str) -> None:
        profile = replace(ANALYTIC, name=name)
        cache.get(profile, "auto", lambda: load(profile, "auto"))

    for _ in range(50):
        get("a")
    assert asked == [1]
    for name in ("b", "a", "b") * 5:  # the room that came with the second load holds both
        get(name)
    assert loads == ["a auto", "b auto"]
    assert asked == [1, 2]


def test_pocket_says_what_it_weighs() -> None:
    pocket = load_family(profile_of("pocket"))
    assert getattr(pocket, "nbytes", 0) == on_disk(profile_of("pocket")) > 2**24
