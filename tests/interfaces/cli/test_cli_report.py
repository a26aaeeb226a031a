"""How far a long run is: on a terminal, and in the log of one that nobody watches."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from partway.interfaces.cli import report
from partway.interfaces.cli.report import Reporter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is: seconds."""
    now = [100.0]
    monkeypatch.setattr(report, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_a_line_a_minute_says_rate_and_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter().counting("editing", 100) as advance:
        for _ in range(100):
            clock[0] += 2.0
            advance()
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "editing: 30 of 100, 0.50 a second, 0:02:20 left",
        "editing: 60 of 100, 0.50 a second, 0:01:20 left",
        "editing: 90 of 100, 0.50 a second, 0:00:20 left",
    ]


def test_quiet_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(quiet=True).counting("editing", 9) as advance:
        for _ in range(9):
            clock[0] += 60.0
            advance()
    assert capsys.readouterr().err == ""


def test_a_terminal_sees_count_rate_and_time_left(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def terminal(*, stderr: bool, **options: bool) -> Console:
        return Console(stderr=stderr, force_terminal=True, width=100, get_time=lambda: clock[0])

    monkeypatch.setattr(report, "Console", terminal)
    with Reporter().counting("editing", 10) as advance:
        for _ in range(4):
            clock[0] += 2.0
            advance()
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", capsys.readouterr().err)
    last = shown.split("editing")[-1]
    assert "4/10" in last
    assert "0.50/s" in last
    assert "0:00:12" in last, "six more at two seconds each"
