"""Who may ask, as ASGI middleware on what came over the wire (`scope`), before any route.

    Host             names of this machine and those allowed at the start: a rebound name is not
    Origin           the page's own; `null`, malformed and foreign ones are not
    Sec-Fetch-Site   other sites may link to the page, and nothing else
    content type     JSON or multipart, the latter with a sign that no foreign form sent it
    key              where one is set, on every route but /health/live and the page's own files

Without a key the server listens on the loopback interface only (`running.check_bind`), and whoever
can reach it may use it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from partway.interfaces.http.errors import Forbidden, HTTPError, Unauthorized, Unsupported, answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = {"GET", "HEAD", "OPTIONS"}
BODIES = ("application/json", "multipart/form-data")
# A browser sends these across origins only after asking first, which is refused.
NOT_SIMPLE = ("x-partway", "x-requested-with", "authorization", "x-api-key")
LIVE = "/health/live"

# The page: its own files and nothing from elsewhere. Everything else: inert.
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
INERT_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True)
class Access:
    """What is allowed.

    key      that every request must bring; None on the loopback interface
    hosts    names beside the loopback's, lower case, without port
    origins  of pages that may ask, beside our own, as https://example.org
    any_ip   whether a Host that is an address is ours: true where all interfaces are listened on
    open     paths that need no key
    """

    key: str | None = None
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    any_ip: bool = False
    open: frozenset[str] = field(default_factory=frozenset[str])


class Guard:
    """The middleware: refuses, or passes on and sets the headers of the answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets here: closed without a word
        headers = Headers(scope=scope)
        is_page = scope["path"] in self._access.open

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                dress(MutableHeaders(scope=message), is_page=is_page)
                self._allow_origin(headers, MutableHeaders(scope=message))
            await send(message)

        try:
            check(
                self._access, scope["method"], scope["path"], headers, scope.get("scheme", "http")
            )
        except HTTPError as error:
            await answer(error, scope["path"])(scope, receive, dressed)
            return
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _Preflight()(scope, receive, dressed)
            return
        await self._app(scope, receive, dressed)

    def _allow_origin(self, headers: Headers, answer_headers: MutableHeaders) -> None:
        """Let a page of an allowed origin read the answer."""
        origin = headers.get("origin")
        if origin in self._access.origins:
            answer_headers["Access-Control-Allow-Origin"] = origin
            answer_headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            answer_headers.append("Vary", "Origin")


class _Preflight:
    """The answer to a browser that asks whether it may ask."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import Response

        allow = {
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, X-API-Key, X-Partway, "
            "Idempotency-Key, Last-Event-ID, Prefer",
            "Access-Control-Max-Age": "600",
        }
        await Response(status_code=204, headers=allow)(scope, receive, send)


def check(access: Access, method: str, path: str, headers: Headers, scheme: str) -> None:
    """Pass, or raise why not. Order: Host, Origin, Sec-Fetch-Site, key, content type."""
    host = headers.getlist("host")
    if len(host) != 1 or not is_own_host(access, host[0]):
        raise Forbidden(
            f"host {', '.join(host) or 'none'!r} is not this server's name; "
            "allow a name with --allow-host"
        )
    origins = headers.getlist("origin")
    own = f"{scheme}://{host[0]}".lower()
    foreign = [each for each in origins if each.lower() != own and each not in access.origins]
    if foreign or len(origins) > 1:
        raise Forbidden(f"origin {foreign[0] if foreign else 'twice'!r} is not allowed to ask")
    if not origins and not _same_site(method, path, headers, access):
        raise Forbidden("another site's page is not allowed to ask")
    preflight = method == "OPTIONS" and bool(origins) and origins[0] in access.origins
    if access.key is not None and path not in {LIVE, *access.open} and not preflight:
        _check_key(access.key, headers)
    if method not in READING:
        _check_content(headers, own_page=bool(origins))


def is_own_host(access: Access, host: str) -> bool:
    """Whether a Host header names this server; its port does not matter."""
    name = host_name(host)
    if name is None:
        return False
    if name == "localhost" or name in access.hosts:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or access.any_ip


def host_name(host: str) -> str | None:
    """The name in "name", "name:port" or "[v6]:port", lower case; None where it is malformed."""
    name, port = host.lower(), ""
    if name.startswith("["):
        name, closed, port = name[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            return None
        port = port[1:] if port else ""
        if ":" not in name:
            return None
    elif ":" in name:
        name, _, port = name.partition(":")
        if not port:
            return None
    if port and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        return None
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-._:%")
    return name if name and set(name) <= allowed else None


def _same_site(method: str, path: str, headers: Headers, access: Access) -> bool:
    """Whether a browser says the request is our page's or the person's own.

    A link on another site may open the page, which a browser marks as a navigation.
    """
    site = headers.get("sec-fetch-site", "none").lower()
    if site in {"none", "same-origin"}:
        return True
    navigates = headers.get("sec-fetch-mode", "").lower() == "navigate"
    return method in {"GET", "HEAD"} and navigates and path in access.open


def _check_key(key: str, headers: Headers) -> None:
    """Unauthorized unless one of the three places holds the key."""
    given = given_key(headers)
    if given is None or not hmac.compare_digest(given.encode(), key.encode()):
        said = "no key" if given is None else "this is not the key"
        raise Unauthorized(
            f"{said}: send Authorization: Bearer KEY, X-API-Key: KEY, or the key as password",
            {"WWW-Authenticate": 'Bearer, Basic realm="partway", charset="UTF-8"'},
        )


def given_key(headers: Headers) -> str | None:
    """The key of a request: X-API-Key, a bearer token, or the password of Basic."""
    if "x-api-key" in headers:
        return headers["x-api-key"]
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return None
    return None


def _check_content(headers: Headers, *, own_page: bool) -> None:
    """Content types that a foreign form cannot send, or a sign that none did."""
    kind = headers.get("content-type")
    if kind is None:
        return  # no body to speak of; a foreign page would have been told by its Origin
    kind = kind.split(";")[0].strip().lower()
    if kind not in BODIES:
        raise Unsupported(f"content type {kind!r}: want application/json or multipart/form-data")
    same = headers.get("sec-fetch-site", "").lower() == "same-origin"
    signed = own_page or same or any(name in headers for name in NOT_SIMPLE)
    if kind == "multipart/form-data" and not signed:
        raise Forbidden("a form needs the header X-Partway: 1, or a key")


def dress(headers: MutableHeaders, *, is_page: bool) -> None:
    """Headers of every answer."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    is_html = headers.get("content-type", "").startswith("text/html")
    headers.setdefault(
        "Content-Security-Policy", PAGE_POLICY if is_page or is_html else INERT_POLICY
    )


def origin_of(text: str) -> str:
    """An origin as browsers send it; ValueError where it is none."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{text!r} is no origin: want https://example.org")
    return f"{parts.scheme}://{parts.netloc}".lower()


def hosts_of(names: Iterable[str]) -> frozenset[str]:
    """Host names as they are compared."""
    return frozenset(name.strip().lower() for name in names if name.strip())
