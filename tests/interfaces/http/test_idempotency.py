"""Promise S9: a request that is sent again with its Idempotency-Key is computed once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from partway.interfaces.http import idempotency

Client = Callable[..., TestClient]
FIELDS = {"prompt": "navy, orange, white", "steps": "4", "seed": "random"}


def post(client: TestClient, png: bytes, key: str = "k1", **fields: str) -> Any:
    """An edit with a key; forms get a new boundary every time."""
    return client.post(
        "/v1/edits?wait=1",
        data=FIELDS | fields,
        files={"source": png},
        headers={"Idempotency-Key": key},
    )


def computed(client: TestClient) -> int:
    """Evaluations so far."""
    line = next(
        each
        for each in client.get("/metrics").text.splitlines()
        if each.startswith("partway_evaluations_total")
    )
    return int(line.split()[1])


def test_s9_a_repeated_request_is_answered_again(client: TestClient, png: bytes) -> None:
    first = post(client, png)
    assert first.status_code == 200, first.text
    for _ in range(2):
        again = post(client, png)
        assert (again.status_code, again.json()) == (200, first.json())
    assert computed(client) == 4
    other = post(client, png, seed="5")
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert post(client, png, key="k2").json()["id"] != first.json()["id"]
    assert computed(client) == 8


def test_s9_two_at_once_are_one(client: TestClient, png: bytes) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(post, client, png, steps="400") for _ in range(2)]
        answers = [each.result() for each in both]
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert computed(client) == 400


def test_s9_what_failed_for_now_may_be_tried_again(client: TestClient, png: bytes) -> None:
    bad = post(client, png, strength="3")
    assert (bad.status_code, post(client, png, strength="3").status_code) == (422, 422)
    assert post(client, png, key="").status_code == 422
    assert post(client, png, key="x" * 300).status_code == 422


def test_s9_answers_are_forgotten_within_a_budget(
    client_of: Client, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        idempotency.Idempotency.__init__, "__kwdefaults__", {"seconds": 0.0, "nbytes": 0}
    )
    client = client_of()
    first = post(client, png).json()
    assert post(client, png).json()["id"] != first["id"]


def test_s9_the_oldest_answers_go_first(
    client_of: Client, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 3 * (idempotency.OVERHEAD + 3000)  # an answer has about two thousand bytes
    monkeypatch.setattr(
        idempotency.Idempotency.__init__, "__kwdefaults__", {"seconds": 60.0, "nbytes": room}
    )
    client = client_of()
    first = [post(client, png, key=f"k{i}").json()["id"] for i in range(6)]
    again = [post(client, png, key=f"k{i}").json()["id"] for i in (5, 4, 3, 0)]
    assert again[:2] == [first[5], first[4]]
    assert again[3] != first[0]


def test_s9_a_server_without_memory_would_be_noticed(
    client: TestClient, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "HEADER", "x-nothing")
    post(client, png)
    post(client, png)
    assert computed(client) == 8
