"""The scripts of training/pocket, which are no package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent.parent / "training" / "pocket"


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    """They import one another by bare names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(FOLDER), *sys.path])
        yield
