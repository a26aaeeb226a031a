"""Partway: image-to-image diffusion with one honest dial, denoising strength.

    from partway import edit
    edit("cat.png", "cat face, 3d", strength=0.45).image.save("cat-3d.png")

Names are imported on first use, so that `import partway` loads neither NumPy nor a runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partway.api import edit, replay, sweep
    from partway.engine import Engine
    from partway.errors import PartwayError, UserError
    from partway.fidelity import Kept
    from partway.metadata import Metadata, read_metadata
    from partway.own_loop import levels
    from partway.plan import Plan, plan_edit
    from partway.request import EditRequest
    from partway.result import EditResult
    from partway.schedule import Level, Schedule
    from partway.strength import start_noise_fraction

__version__ = "0.1.0"

_HOMES = {
    "EditRequest": "partway.request",
    "EditResult": "partway.result",
    "Engine": "partway.engine",
    "Kept": "partway.fidelity",
    "Level": "partway.schedule",
    "Metadata": "partway.metadata",
    "PartwayError": "partway.errors",
    "Plan": "partway.plan",
    "Schedule": "partway.schedule",
    "UserError": "partway.errors",
    "edit": "partway.api",
    "levels": "partway.own_loop",
    "plan_edit": "partway.plan",
    "read_metadata": "partway.metadata",
    "replay": "partway.api",
    "start_noise_fraction": "partway.strength",
    "sweep": "partway.api",
}

__all__ = [
    "EditRequest",
    "EditResult",
    "Engine",
    "Kept",
    "Level",
    "Metadata",
    "PartwayError",
    "Plan",
    "Schedule",
    "UserError",
    "edit",
    "levels",
    "plan_edit",
    "read_metadata",
    "replay",
    "start_noise_fraction",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'partway' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
