"""Idempotency-Key: a request that is sent again is not computed again.

As in the IETF's draft (draft-ietf-httpapi-idempotency-key-header-07): with the key of an earlier
request and the same body the earlier answer is given again; with another body 422; while the first
is still being answered 409. Answers that invite to try again (408, 409, 429, 5xx) are not kept.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.datastructures import Headers

from partway.errors import InvalidRequest
from partway.interfaces.http.errors import Conflict, answer
from partway.interfaces.http.security import given_key

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "idempotency-key"
MAX_KEY = 255  # characters
KEPT_SECONDS = 3600.0
KEPT_BYTES = 128 * 2**20
OVERHEAD = 4096  # bytes of an answer beside its body: headers, key, objects
PASSING = {408, 409, 429}


class Reused(InvalidRequest):
    """The key was sent before, with something else."""

    code = "idempotency_key_reused"


Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Kept:
    """An answer that is given again.

    digest    of the request it came with
    since     when it was complete
    messages  of the answer
    nbytes    memory it takes, about
    """

    digest: str
    since: float
    messages: list[Message]
    nbytes: int


class Idempotency:
    """The middleware, behind those that limit a body and check who asks."""

    def __init__(
        self, app: ASGIApp, *, seconds: float = KEPT_SECONDS, nbytes: int = KEPT_BYTES
    ) -> None:
        self._app = app
        self._seconds = seconds
        self._nbytes = nbytes
        self._answering: dict[Key, str] = {}  # digests of requests whose answer is being made
        self._kept: OrderedDict[Key, Kept] = OrderedDict()  # oldest first
        self._used = 0  # bytes of all that is kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        name = headers.get(HEADER)
        if name is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if not 0 < len(name) <= MAX_KEY:
            error = InvalidRequest(f"Idempotency-Key has 1 … {MAX_KEY} characters")
            await answer(error, path)(scope, receive, send)
            return
        body = await _whole(receive)
        if body is None:
            return  # the client left before it had said all
        key = (given_key(headers) or "", path, scope["query_string"].decode("latin-1"), name)
        digest = _digest(body, headers)
        self._sweep()
        if key in self._answering or key in self._kept:
            await self._again(key, digest, scope, receive, send)
            return
        messages: list[Message] = []
        self._answering[key] = digest
        try:
            await self._app(scope, _replayed(body, receive), _noted(messages, send))
        finally:
            del self._answering[key]
            if _final(messages):
                self._keep(key, digest, messages)

    async def _again(
        self, key: Key, digest: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a key that is known."""
        kept = self._kept.get(key)
        if digest != (self._answering[key] if kept is None else kept.digest):
            error: Any = Reused("this Idempotency-Key came with another request: take a new one")
            await answer(error, scope["path"])(scope, receive, send)
        elif kept is None:
            error = Conflict("the first request of this Idempotency-Key is still being answered")
            await answer(error, scope["path"])(scope, receive, send)
        else:
            for message in kept.messages:
                await send(_copy(message))

    def _keep(self, key: Key, digest: str, messages: list[Message]) -> None:
        nbytes = OVERHEAD + sum(len(message.get("body", b"")) for message in messages)
        self._kept[key] = Kept(digest, monotonic(), messages, nbytes)
        self._used += nbytes

    def _sweep(self) -> None:
        """Forget answers that are too old, then the oldest beyond the budget."""
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            old = monotonic() - oldest.since > self._seconds
            if not old and self._used <= self._nbytes:
                return
            self._used -= oldest.nbytes
            del self._kept[key]


async def _whole(receive: Receive) -> bytes | None:
    """A request's body; None where the client left."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """`receive` that gives a body that was read, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _noted(messages: list[Message], send: Send) -> Send:
    """`send` that remembers what it sends."""

    async def noting(message: Message) -> None:
        messages.append(_copy(message))
        await send(message)

    return noting


def _copy(message: Message) -> Message:
    """A message of its own: middleware adds headers to the list it is given."""
    copied = dict(message)
    if "headers" in copied:
        copied["headers"] = list(copied["headers"])
    return copied


def _final(messages: list[Message]) -> bool:
    """Whether an answer is complete, and worth giving again."""
    if not messages or messages[-1].get("more_body", False) or len(messages) < 2:
        return False
    status = messages[0]["status"]
    return status < 500 and status not in PASSING


def _digest(body: bytes, headers: Headers) -> str:
    """SHA-256 of a body; a form's boundary is new each time and says nothing."""
    kind = headers.get("content-type", "")
    boundary = kind.partition("boundary=")[2].split(";")[0].strip('" ')
    if boundary:
        body = body.replace(boundary.encode("latin-1"), b"boundary")
    return hashlib.sha256(kind.split(";")[0].encode() + b"\n" + body).hexdigest()
