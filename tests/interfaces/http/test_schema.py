"""Promise N7 by the server's own description: what OpenAPI says of it is what it does."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, cast

import pytest
import requests
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from served import served

from partway.interfaces.http import described_errors

schemathesis: Any = import_module("schemathesis")
checks = import_module("schemathesis.specs.openapi.checks")
COUNT = 200 if "PARTWAY_FULL" in os.environ else 20  # right requests and wrong ones, per operation
SECONDS = 600  # for a picture as large as any: a deadline is no mistake of the server's
HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
SIGN = {"X-Partway": "test"}


@st.composite
def cases(draw: st.DrawFn, strategy: st.SearchStrategy[Any]) -> Any:
    """What it draws, but for the few that Schemathesis 4.32 fails to judge: it has no type for
    the bytes of a file in a form.
    """
    try:
        return draw(strategy)
    except ValueError as error:
        if str(error) != "Unsupported type: 'Binary'":
            raise
        reject()


def sayable(case: Any) -> bool:
    """Whether a form says what is meant: in one, an empty field is one that is not there, and a
    list of one is what is in it.
    """
    if case.media_type == "application/json" or not hasattr(case.body, "values"):
        return True
    return not any(
        len(cast("list[Any]", each)) < 2 if isinstance(each, list) else each in ("", None)
        for each in case.body.values()
    )


def left_out(path: str) -> list[Any]:
    """A schema cannot say that a sweep needs a source and a prompt words. The A1111 API takes null
    for any default and 1 for true, as A1111 does.
    """
    loose = [checks.negative_data_rejection] if path.startswith(("/sdapi", "/internal")) else []
    return [checks.positive_data_acceptance, *loose]


def failures(address: str, count: int, paths: tuple[str, ...] = ("/",)) -> tuple[int, list[str]]:
    """How many requests were made, and what their answers broke."""
    import_module("schemathesis.checks").load_all_checks()
    fits, unfit = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
    schema: Any = schemathesis.openapi.from_url(f"{address}/openapi.json")
    session = requests.Session()
    session.headers.update(SIGN)
    made, last = 0, ""
    broken: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.startswith(paths):
            continue
        can_be_wrong = operation.query or operation.body
        for mode in (fits, unfit) if can_be_wrong else (fits,):
            strategy = operation.as_strategy(generation_mode=mode)
            if mode is unfit:
                strategy = strategy.filter(sayable)

            @settings(max_examples=count, suppress_health_check=HEALTH)
            @given(cases(strategy))
            def send(case: Any) -> None:
                nonlocal made, last
                made += 1
                answer = case.call(session=session, timeout=2 * SECONDS)
                last = f"{answer.status_code} {answer.text[:300]}"
                case.validate_response(answer, excluded_checks=left_out(case.path))

            try:
                send()
            except BaseExceptionGroup as group:
                broken += [f"{operation.label}: {each}: {last}" for each in group.exceptions]
    return made, broken


@pytest.mark.slow
def test_n7_the_server_does_what_its_schema_says(loopback: None) -> None:
    with served(seconds=SECONDS) as address:
        made, broken = failures(address, COUNT)
    print(f"N7: {made} requests by the schema")
    assert broken == []
    assert made > 30 * COUNT


def test_n7_a_schema_that_keeps_quiet_of_errors_would_be_noticed(
    loopback: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_it_was(schema: dict[str, Any]) -> dict[str, Any]:
        return schema

    monkeypatch.setattr(described_errors, "with_errors", as_it_was)
    with served() as address:
        assert failures(address, 5, ("/v1/plan",))[1]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/edits", "POST"),
        ("PUT", "/sdapi/v1/options", "GET, POST"),
        ("POST", "/v1/models", "GET"),
        ("POST", "/v1/jobs/x", "GET, DELETE"),
        ("DELETE", "/style.css", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
    ],
)
def test_a_method_that_a_path_has_not(
    method: str, path: str, allowed: str, client: TestClient
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_path_that_is_none(client: TestClient) -> None:
    for method in ("GET", "POST", "PUT"):
        assert client.request(method, "/v1/nothing").status_code == 404
