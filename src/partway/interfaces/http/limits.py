"""How much may be sent, and how slowly: bound while bytes come in, before anything is stored."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from partway.interfaces.http.errors import HTTPError, TooLarge, TooSlow, answer, bug

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
MAX_BODY = 64 * 2**20
READ_SECONDS = 30.0  # between two pieces of a body
BODY_SECONDS = 300.0  # for all of it


class Limits:
    """Middleware that counts a body's bytes and seconds, and answers by status code.

    answers  counts by method and status
    """

    def __init__(
        self,
        app: ASGIApp,
        answers: Counter[tuple[str, int]],
        *,
        max_body: int = MAX_BODY,
        read_seconds: float = READ_SECONDS,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._answers = answers
        self._max_body = max_body
        self._read_seconds = read_seconds
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "other"
        began = False

        async def counted(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                self._answers[method, message["status"]] += 1
            await send(message)

        try:
            self._check_length(scope)
            await self._app(scope, self._limited(receive), counted)
        except HTTPError as error:
            if began:
                raise
            failed = answer(error, scope["path"])
            failed.headers["Connection"] = "close"  # what is left of the body is not read
            await failed(scope, receive, counted)
        except ClientDisconnect:
            return  # in the middle of its body: there is nobody to answer
        except Exception:
            log.exception("%s %s failed", method, scope["path"])
            if began:
                raise
            await bug(scope["path"])(scope, receive, counted)

    def _check_length(self, scope: Scope) -> None:
        """Refuse a body that is announced as too large."""
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._max_body:
            raise TooLarge(f"{int(announced):,} bytes, allowed are {self._max_body:,}")

    def _limited(self, receive: Receive) -> Receive:
        """`receive` with the limits on it, as long as the body lasts."""
        now = asyncio.get_running_loop().time
        end = now() + self._body_seconds
        size, complete = 0, False

        async def limited() -> Message:
            nonlocal size, complete
            if complete:
                return await receive()  # waits for the client to leave
            left = max(min(self._read_seconds, end - now()), 0.0)
            try:
                message = await asyncio.wait_for(receive(), left)
            except TimeoutError as error:
                raise TooSlow("the body did not come in time") from error
            size += len(message.get("body", b""))
            if size > self._max_body:
                raise TooLarge(f"more than {self._max_body:,} bytes")
            complete = not message.get("more_body", False)
            return message

        return limited
