"""The rule of docs/metadata.md."""

from __future__ import annotations

import pytest

from partway.metadata.provenance import (
    COMPOSITE,
    IGNORED_FROM,
    SYNTHETIC,
    TRAINED,
    VOCABULARY,
    combined,
    digital_source,
)
from partway.strength import start_noise_fraction


@pytest.mark.parametrize(
    ("strength", "trained", "has_source", "term"),
    [
        (0.0, True, True, None),
        (0.0, False, True, None),
        (0.01, True, True, COMPOSITE),
        (0.84, True, True, COMPOSITE),
        (0.85, True, True, TRAINED),
        (1.0, True, True, TRAINED),
        (1.0, True, False, TRAINED),
        (0.5, False, True, SYNTHETIC),
        (1.0, False, False, SYNTHETIC),
    ],
)
def test_the_rule(*, strength: float, trained: bool, has_source: bool, term: str | None) -> None:
    noise = start_noise_fraction(strength, "sd1")
    assert digital_source(noise, trained=trained, has_source=has_source) == term


def test_the_threshold_is_where_the_dial_says_reimagine() -> None:
    assert start_noise_fraction(0.85, "sd1") == IGNORED_FROM


def test_what_the_source_says_of_itself_counts() -> None:
    assert combined(COMPOSITE, f"{VOCABULARY}{TRAINED}") == f"{VOCABULARY}{TRAINED}"
    assert combined(COMPOSITE, f"{VOCABULARY}digitalCapture") == f"{VOCABULARY}{COMPOSITE}"
    assert combined(None, f"{VOCABULARY}{TRAINED}") is None
    assert combined(SYNTHETIC, None) == f"{VOCABULARY}{SYNTHETIC}"
