"""A finished picture, made by the exact denoiser: fast, no weights."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from PIL import Image

from partway.engine import Engine
from partway.request import EditRequest
from partway.result import EditResult

Make: TypeAlias = Callable[..., EditResult]


@pytest.fixture
def png(icon: Image.Image) -> bytes:
    stream = io.BytesIO()
    icon.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def make(png: bytes) -> Make:
    """`make(strength=0.3, …)`: the result of an edit."""

    def made(**fields: Any) -> EditResult:
        given: dict[str, Any] = {"prompt": "navy, orange", "source": png, "strength": 0.45}
        given |= {"model": "analytic"} | fields
        return Engine().run(EditRequest(**given))

    return made
