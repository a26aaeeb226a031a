from __future__ import annotations

import threading

from partway.cache import Cache


def test_values_are_made_once() -> None:
    cache, made = Cache(100), list[str]()

    def make() -> str:
        made.append("x")
        return "value"

    assert [cache.get("key", make, len) for _ in range(3)] == ["value"] * 3
    assert made == ["x"]


def test_the_least_recently_used_goes_first() -> None:
    cache, made = Cache(10), list[str]()

    def get(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key * 5

        return cache.get(key, make, len)

    for key in "abaca":  # c pushes b out, a was used since
        get(key)
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]


def test_what_is_larger_than_the_budget_is_not_kept() -> None:
    cache, made = Cache(4), list[int]()

    def make() -> str:
        made.append(1)
        return "too long"

    assert cache.get("key", make, len) == cache.get("key", make, len) == "too long"
    assert len(made) == 2
    assert cache.get("small", lambda: "ok", len) == "ok"


def test_threads() -> None:
    cache, wrong = Cache(500), list[int]()

    def work() -> None:
        for i in range(3000):
            key = i % 17
            if cache.get(key, lambda key=key: str(key) * 40, len) != str(key) * 40:
                wrong.append(key)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
