"""OpenVINO's core, of which a process has one.

With its first network a core gives the calling thread a stack for signal handlers, and takes it
away when the core goes (OpenVINO 2026.4). Of two cores that go in the order they came, the second
puts the stack of the first back, which is gone by then: the next Ctrl-C ends the process with a
segmentation fault. So there is one, and it stays until the process ends.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib import import_module
from typing import Any

_MAKING = threading.Lock()


def openvino_core() -> Any:
    """The core; OpenVINO is imported with the first call. Safe to use from several threads."""
    with _MAKING:
        return _core()


@cache
def _core() -> Any:
    return import_module("openvino").Core()
