"""Typed errors as status codes and JSON: {"error": {"code", "message", "type", "param"}}.

That is OpenAI's form, on its routes and on ours. A1111's is flat: {"error", "detail", …}.

Whatever is wrong with a request is 4xx: clients repeat a 5xx, and the same bad input would come
again.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from partway.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidRequest,
    ModelError,
    OutputExists,
    PartwayError,
    QueueFull,
    Unavailable,
    UserError,
)

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.routing import BaseRoute


class HTTPError(UserError):
    """A request that is wrong as HTTP, before it is an edit.

    status  its status code
    """

    status = 400
    code = "bad_request"

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.headers = headers or {}


class Unauthorized(HTTPError):
    """No key, or a wrong one."""

    status = 401
    code = "unauthorized"


class Forbidden(HTTPError):
    """A Host or an Origin that is not allowed."""

    status = 403
    code = "forbidden"


class NotFound(HTTPError):
    """No such route, job or file."""

    status = 404
    code = "not_found"


class Conflict(HTTPError):
    """The first request of this Idempotency-Key is still being answered."""

    status = 409
    code = "idempotency_in_flight"


class TooLarge(HTTPError):
    """More bytes than may be sent."""

    status = 413
    code = "too_large"


class Unsupported(HTTPError):
    """A content type that is not read here."""

    status = 415
    code = "unsupported_media_type"


class TooSlow(HTTPError):
    """The body did not come in time."""

    status = 408
    code = "request_timeout"


# First match from the error's own class upwards.
STATUS: dict[type[PartwayError], int] = {
    OutputExists: 409,
    UserError: 422,
    Cancelled: 409,
    QueueFull: 429,
    DeadlineExceeded: 504,
    Unavailable: 503,
    ModelError: 500,
    PartwayError: 500,
}


METHODS = ("GET", "HEAD", "POST", "DELETE")  # that some route has
SDAPI = "/sdapi/"
# OpenAI's word for the kind of an error, where the status says it.
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def status_of(error: PartwayError) -> int:
    """The status code of an error."""
    if isinstance(error, HTTPError):
        return error.status
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def headers_of(error: PartwayError) -> dict[str, str]:
    """What the answer's head says beside the status."""
    if isinstance(error, HTTPError):
        return error.headers
    if isinstance(error, QueueFull):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, Unavailable) and not isinstance(error, DeadlineExceeded):
        return {"Retry-After": "5"}
    return {}


def facts_of(error: PartwayError) -> dict[str, str]:
    """Code and message."""
    return {"code": error.code, "message": str(error)}


def body_of(code: str, message: str, status: int, path: str = "") -> dict[str, Any]:
    """The body of an answer to a request that failed.

    path  that was asked for: A1111's clients want a form of their own
    """
    if path.startswith(SDAPI):
        return {"error": code, "detail": message, "body": "", "errors": message}
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"code": code, "message": message, "type": kind, "param": None}}


def answer(error: PartwayError, path: str = "") -> JSONResponse:
    """The answer to a request that failed."""
    status = status_of(error)
    return JSONResponse(body_of(error.code, str(error), status, path), status, headers_of(error))


def install(app: FastAPI) -> None:
    """Every error of every route leaves as one of ours."""
    app.add_exception_handler(PartwayError, _typed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _typed(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, PartwayError):
        raise error
    return answer(error, request.scope["path"])


async def _http(request: Request, error: Exception) -> JSONResponse:
    """Errors that the framework raises: no such route, wrong method, a form it cannot read."""
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    code = HTTPStatus(status).name.lower()
    content = body_of(code, str(error.detail), status, request.scope["path"])
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return JSONResponse(content, status, headers)


def _allowed(request: Request) -> list[str]:
    """The methods of a path; the framework names those of its first route only."""
    routes: list[BaseRoute] = request.app.routes
    asked = [(method, dict(request.scope, method=method)) for method in METHODS]
    return [m for m, scope in asked if any(r.matches(scope)[0] is Match.FULL for r in routes)]


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """A path or query parameter of the wrong type."""
    if not isinstance(error, RequestValidationError):
        raise error
    return answer(InvalidRequest(words(error.errors())), request.scope["path"])


def bug(path: str = "") -> JSONResponse:
    """The answer to what nobody foresaw, without its insides."""
    message = "an error of ours; the server's log has it"
    return JSONResponse(body_of("internal_error", message, 500, path), 500)


def words(errors: Any) -> str:
    """Pydantic's errors in one line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in errors
    )
