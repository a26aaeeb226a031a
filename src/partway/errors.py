"""Every error Partway raises on purpose.

    PartwayError                    has .code, a stable word for programs
    ├── UserError                   the request can be corrected; exit code 2
    │   ├── InvalidRequest          a value out of range, two options that exclude each other
    │   ├── UnknownName             a model, sampler, spacing or dial that does not exist
    │   ├── UnreadableImage         bytes that are no picture, or a picture that is too large
    │   ├── Uncalibrated            dial `perceptual` on a model that was never measured
    │   ├── Unreachable             no strength keeps as much, or as little, as was asked for
    │   ├── ModelUnsuitable         the source is not what the chosen model draws
    │   ├── OutputExists            an explicit output file is already there
    │   ├── NoMetadata              a file that does not say, or not readably, how it was made
    │   ├── InputsDiffer            what a picture was made from is gone or is something else
    │   └── Quarantined             the request ended its worker twice and is not run again
    ├── Cancelled                   the caller asked to stop; exit code 130
    ├── Unavailable                 not now; the same request may succeed later; exit code 1
    │   ├── QueueFull               as many wait as may; has .retry_after, seconds
    │   ├── DeadlineExceeded        not finished within the time its caller gave it
    │   └── WorkerLost              what ran it is gone
    └── ModelError                  loading or running a network failed; exit code 1
        └── NonFinite               the network produced NaN or infinity, also in fp32

Messages say what was got, what is allowed and what to type instead.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class PartwayError(Exception):
    """Base of all errors raised on purpose."""

    code = "error"
    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross processes as they are, whatever their constructor takes."""
        return _again, (type(self), str(self), vars(self))


def _again(kind: type[PartwayError], message: str, state: dict[str, Any]) -> PartwayError:
    """An error made anew on the other side."""
    error = kind.__new__(kind, message)
    error.args = (message,)
    vars(error).update(state)
    return error


class UserError(PartwayError):
    """The request can be corrected by whoever made it."""

    code = "user_error"
    exit_code = 2


class InvalidRequest(UserError):
    """A value is out of range or options contradict each other."""

    code = "invalid_request"


class UnknownName(UserError):
    """A name that no registry knows; the nearest is that to `like`, or to the name itself."""

    code = "unknown_name"

    def __init__(
        self, kind: str, got: str, allowed: Iterable[str], *, like: str | None = None
    ) -> None:
        names = sorted(allowed)
        near = get_close_matches(got if like is None else like, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        super().__init__(f"unknown {kind} {got!r}: choose from {', '.join(names)}{hint}")


class UnreadableImage(UserError):
    """The bytes cannot be read as a picture within the limits."""

    code = "unreadable_image"


class Uncalibrated(UserError):
    """A model has no calibration curve to read dial `perceptual` from."""

    code = "uncalibrated"

    def __init__(self, model: str = "MODEL") -> None:
        named = "this model" if model == "MODEL" else model
        super().__init__(
            f"{named} has no calibration, which dial perceptual reads: measure it with "
            f"`partway calibrate {model} --images FOLDER`, or try --dial standard"
        )


class Unreachable(UserError):
    """No strength gives what was asked for."""

    code = "unreachable"


class ModelUnsuitable(UserError):
    """The source is outside what the chosen model can draw."""

    code = "model_unsuitable"


class OutputExists(UserError):
    """An explicitly named output file exists and was not to be overwritten."""

    code = "output_exists"


class Quarantined(UserError):
    """A request that ended the worker it ran on, twice."""

    code = "quarantined"


class NoMetadata(UserError):
    """A file does not say how it was made, or what it says cannot be used."""

    code = "no_metadata"


class InputsDiffer(UserError):
    """A source, style picture or model is not there, or is not what the picture was made from."""

    code = "inputs_differ"


class Cancelled(PartwayError):
    """The caller cancelled the edit."""

    code = "cancelled"
    exit_code = 130


class Unavailable(PartwayError):
    """The request is fine and could not be served now."""

    code = "unavailable"


class QueueFull(Unavailable):
    """No place is left in the queue; `retry_after` seconds from now there may be one."""

    code = "queue_full"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceeded(Unavailable):
    """The time its caller gave the request is over."""

    code = "deadline_exceeded"


class WorkerLost(Unavailable):
    """The worker that ran the request died, and no other could take it over."""

    code = "worker_lost"


class ModelError(PartwayError):
    """A checkpoint could not be loaded or run."""

    code = "model_error"


def as_typed(error: Exception) -> PartwayError:
    """The error itself where it is typed, else a ModelError caused by it.

    For the places where libraries and third-party families run: whatever they raise ends one
    request and is never mistaken for another's.
    """
    if isinstance(error, PartwayError):
        return error
    typed = ModelError(f"{type(error).__name__}: {error}")
    typed.__cause__ = error
    return typed


class NonFinite(ModelError):
    """NaN or infinity in latents or pixels."""

    code = "non_finite"
