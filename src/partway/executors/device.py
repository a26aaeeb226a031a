"""An accelerator whose state is lost: every later call in the same process fails as well.

After most CUDA errors (an illegal access, a failed assertion, an ECC error) the process can do no
more with the device and has to be replaced; memory that ran out is the exception. See "Error
Handling" in NVIDIA's CUDA C++ Programming Guide, and torch.AcceleratorError.
"""

from __future__ import annotations

from collections.abc import Iterator

SIGNS = ("CUDA error:", "HIP error:", "STATUS_EXECUTION_FAILED")  # of CUDA, ROCm, cuBLAS and cuDNN
HARMLESS = "out of memory"


class DeviceLost(Exception):
    """Ends a worker."""


def is_lost(error: BaseException) -> bool:
    """Whether an error, or what it was caused by, says so."""
    return any(
        any(sign in text for sign in SIGNS) and HARMLESS not in text for text in _texts(error)
    )


def _texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__
