"""Promise N7 by the server's own description: what OpenAPI says of it is what it does."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

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


def failures(address: str, count: int, paths: tuple[str, ...] = ("/",)) -> tuple[int, list[str]]:
    """How many requests were made, and what their answers broke.

    All checks but one: a schema cannot say that a sweep needs a source and a prompt words.
    """
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

            @settings(max_examples=count, suppress_health_check=HEALTH)
            @given(cases(operation.as_strategy(generation_mode=mode)))
            def send(case: Any) -> None:
                nonlocal made, last
                made += 1
                answer = case.call(session=session, timeout=2 * SECONDS)
                last = f"{answer.status_code} {answer.text[:300]}"
                case.validate_response(answer, excluded_checks=[checks.positive_data_acceptance])

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
