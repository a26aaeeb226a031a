"""No test may reach the network, and randomness is seeded per test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

settings.register_profile("partway", deadline=None, derandomize=True)
settings.load_profile("partway")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"a test tried to reach the network: {args} {kwargs}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True, scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Compiled networks go to a folder of this run, shared by its tests and their processes."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture
def icon() -> Image.Image:
    """A drawing with edges, gradients and flat areas, 96 × 64, opaque."""
    y, x = np.mgrid[0:64, 0:96].astype(np.float32)
    rgb = np.full((64, 96, 3), 255.0, np.float32)
    disc = (x - 40) ** 2 + (y - 32) ** 2 < 26**2
    rgb[disc] = np.stack([60 + 2 * x, 40 + 3 * y, 200 - y], axis=-1)[disc]
    rgb[10:22, 60:90] = (20, 150, 60)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


@pytest.fixture
def icon_file(icon: Image.Image, tmp_path: Path) -> Path:
    path = tmp_path / "icon.png"
    icon.save(path)
    return path
