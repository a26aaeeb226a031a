"""Promises N1 to N7: who may ask, and that no request reaches out of the server.

Each promise is a function that returns what broke it, so that a test can also show that it would
be noticed if the guard were gone.
"""

from __future__ import annotations

import base64
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import served
from starlette.datastructures import Headers
from starlette.routing import Route

from partway.interfaces.cli import cli
from partway.interfaces.http import (
    edit_fields,
    openai_images,
    running,
    sdapi,
    sdapi_request,
    security,
    uploads,
)
from partway.interfaces.http.app import page_paths
from partway.interfaces.http.errors import HTTPError
from partway.interfaces.http.security import Access

Client = Callable[..., TestClient]
KEY = "correct-horse-battery"
LIVE = "/health/live"

# ── N1: nothing is fetched ────────────────────────────────────────────────────────────────────────

HOSTS = [
    "127.0.0.1", "127.1", "0", "0.0.0.0",  # noqa: S104
     "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.",
    "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]",
    "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "100.64.0.1", "user@127.0.0.1",
    "example.org@127.0.0.1", "127.0.0.1#@example.org", "127.0.0.1\\@example.org", "①②⑦.⓪.⓪.①",
    "l%6fcalhost", "127.0.0.1:{port}", "[::1]:{port}",
]  # fmt: skip
ADDRESSES = [f"http://{host}/x.png" for host in HOSTS] + [
    *(f"https://{host}/x" for host in HOSTS[:12]),
    *(f"{scheme}://127.0.0.1/x" for scheme in ("HTTP", "ftp", "gopher", "dict", "ws", "jar")),
    "file:///etc/passwd", "FILE:///etc/passwd", "file://localhost/etc/passwd", "/etc/passwd",
    "../../etc/passwd", "//127.0.0.1/x", "http:127.0.0.1/x", "http:/127.0.0.1/x",
    " http://127.0.0.1/x", "\thttp://127.0.0.1/x", "data:text/html,<script>", "s3://bucket/x",
]  # fmt: skip


def fetched(client: TestClient, png: bytes, addresses: Iterable[str] = ADDRESSES) -> list[str]:
    """Addresses that were not refused as 4xx; a connection would fail the test by itself."""
    source = base64.b64encode(png).decode()
    broken: list[str] = []
    for address in addresses:
        answers = {
            "native": client.post("/v1/edits?wait=1", json={"source": address}),
            "references": client.post("/v1/edits?wait=1", json={"references": [address]}),
            "native form": client.post("/v1/edits", data={"source": address}, files={"x": b""}),
            "a1111": client.post("/sdapi/v1/img2img", json={"init_images": [address]}),
            "png-info": client.post("/sdapi/v1/png-info", json={"image": address}),
            "openai json": client.post("/v1/images/edits", json={"image": address}),
            "openai": client.post("/v1/images/edits", data={"image": address}, files={"x": b""}),
            "inspect": client.post("/v1/inspect", json={"source": address}),
            "mask": client.post("/v1/edits", json={"source": source, "mask": address}),
            "map": client.post("/v1/edits", json={"source": source, "map": address}),
            "a1111 mask": client.post(
                "/sdapi/v1/img2img", json={"init_images": [source], "mask": address}
            ),
            "a1111 extras": client.post(
                "/sdapi/v1/extra-single-image", json={"image": address, "upscaler_1": "Lanczos"}
            ),
            "openai mask": client.post("/v1/images/edits", json={"image": source, "mask": address}),
        }
        for name, answer in answers.items():
            if not 400 <= answer.status_code < 500:
                broken.append(f"{name} {address} {answer.status_code}")
    return broken


def test_n1_no_address_is_fetched(client: TestClient, png: bytes) -> None:
    assert len(ADDRESSES) >= 60
    assert fetched(client, png) == []


def test_n1_a_server_that_fetched_would_be_noticed(
    client: TestClient, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.request import urlopen

    def fetch(name: str, text: object) -> bytes:
        return urlopen(str(text)).read()  # noqa: S310

    for module in (uploads, sdapi_request, openai_images):
        monkeypatch.setattr(module, "decode_picture", fetch)
    with pytest.raises(AssertionError, match="tried to reach the network"):
        # raised in the server, it is answered 500, which is not 4xx either
        assert not fetched(client, png, ADDRESSES[:2]), "tried to reach the network"


# ── N2: a web page cannot drive the local server ──────────────────────────────────────────────────

OWN = "127.0.0.1:7861"
HOST_ROWS = {OWN: True, "localhost": True, "[::1]:7861": True, "evil.example": False,
             "127.0.0.1:99999": False, "127.0.0.1@evil.example": False}  # fmt: skip
ORIGIN_ROWS = [None, "own", "null", "http://evil.example", "http://127.0.0.1:99999", "",
               "https://good.example", "http://"]  # fmt: skip
SITES = ["none", "same-origin", "same-site", "cross-site"]
KINDS = [None, "application/json", "multipart/form-data; boundary=x", "text/plain",
         "application/x-www-form-urlencoded"]  # fmt: skip
METHODS = ["GET", "POST", "DELETE", "OPTIONS"]
ACCESS = Access(origins=frozenset({"https://good.example"}), open=frozenset({"/"}))


def expected(host: str, origin: str | None, site: str, kind: str | None, method: str) -> bool:
    """Whether a cell may pass, by the rules as docs/server.md says them."""
    if not HOST_ROWS[host] or origin not in {None, "own", "https://good.example"}:
        return False
    if origin is None and site not in {"none", "same-origin"}:
        return False
    if method in {"GET", "OPTIONS"} or kind in {None, "application/json"}:
        return True
    signed = origin is not None or site == "same-origin"
    return str(kind).startswith("multipart") and signed


def wrong_cells(check: Callable[..., None]) -> list[tuple[Any, ...]]:
    """Cells of the table in which the guard decides otherwise."""
    wrong: list[tuple[Any, ...]] = []
    for cell in product(HOST_ROWS, ORIGIN_ROWS, SITES, KINDS, METHODS):
        host, origin, site, kind, method = cell
        headers = {"host": host, "sec-fetch-site": site}
        if origin is not None:
            headers["origin"] = f"http://{host}" if origin == "own" else origin
        if kind is not None:
            headers["content-type"] = kind
        try:
            check(ACCESS, method, "/v1/edits", Headers(headers), "http")
            passed = True
        except HTTPError:
            passed = False
        if passed != expected(host, origin, site, kind, method):
            wrong.append(cell)
    return wrong


def test_n2_a_foreign_page_cannot_ask() -> None:
    cells = len(HOST_ROWS) * len(ORIGIN_ROWS) * len(SITES) * len(KINDS) * len(METHODS)
    assert cells == 3840
    assert wrong_cells(security.check) == []


@pytest.mark.parametrize("guard", ["is_own_host", "_same_site", "_check_content"])
def test_n2_a_guard_less_would_be_noticed(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def pass_all(*args: Any, **kwargs: Any) -> bool:
        return True

    monkeypatch.setattr(security, guard, pass_all)
    assert wrong_cells(security.check)


def test_n2_a_link_to_the_page_works() -> None:
    headers = {"host": OWN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    security.check(ACCESS, "GET", "/", Headers(headers), "http")
    with pytest.raises(HTTPError):
        security.check(ACCESS, "GET", "/v1/models", Headers(headers), "http")


# ── N3: the key covers every route ────────────────────────────────────────────────────────────────


def every_route(client: TestClient) -> list[tuple[str, str]]:
    """Method and path of every route, also of those behind included routers.

    The page's own files are left out: they need no key.
    """
    app: Any = client.app
    found = {
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    for route in app.routes:
        if isinstance(route, Route) and route.path not in page_paths():
            found |= {(method, route.path) for method in route.methods or ()}
    return sorted(found)


def filled(template: str) -> str:
    """A path with something in the place of its parameters."""
    return template.replace("{name}", "x").replace("{index}", "0").replace("{file}", "x")


NO_KEY = [
    {},
    {"X-API-Key": "wrong-key-wrong"},
    {"Authorization": f"Bearer {KEY}x"},
    {"Authorization": "Basic " + base64.b64encode(b"user:wrong").decode()},
    {"Host": "x/?", "X-API-Key": KEY},
    {"Host": "127.0.0.1/health/live?"},
]


def unlocked(client: TestClient, routes: Iterable[tuple[str, str]]) -> list[tuple[Any, ...]]:
    """Requests without the right key that were let in."""
    broken: list[tuple[Any, ...]] = []
    for method, template in routes:
        path = filled(template)
        spellings = (f"/{path}", path.upper(), f"{path}/", f"{path}%2f", f"{path}?x={LIVE}")
        asked = [(method, path, headers) for headers in NO_KEY]
        asked += [(verb, path, {}) for verb in ("HEAD", "OPTIONS", "PUT")]
        asked += [(method, spelling, {}) for spelling in spellings]
        for verb, spelling, headers in asked:
            answer = client.request(verb, f"http://{OWN}{spelling}", headers=headers)
            is_open = spelling.split("?")[0] == LIVE and "Host" not in headers
            if answer.status_code not in {401, 403} and not is_open:
                broken.append((verb, spelling, headers, answer.status_code))
    return broken


def test_n3_the_key_covers_every_route(client_of: Client) -> None:
    client = client_of(Access(key=KEY))
    assert len(every_route(client)) > 40
    assert unlocked(client, every_route(client)) == []
    for headers in (
        {"X-API-Key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": "Basic " + base64.b64encode(f"any:{KEY}".encode()).decode()},
    ):
        assert client.get("/v1/models", headers=headers).status_code == 200
    assert client.get("/health/live").status_code == 200


def unlocked_as_bytes(address: str, routes: Iterable[tuple[str, str]]) -> list[bytes]:
    """The same with heads that no client library writes; `routes` without the one that is open."""
    where = urlsplit(address)
    assert where.hostname is not None
    broken: list[bytes] = []
    for method, template in routes:
        path = filled(template)
        for start in (
            f"{method} {address}{path}",
            f"{method} http://other.example{path}",
            f"{method.lower()} {path}",
            f"{method} {path};{LIVE}",
            f"{method} {LIVE}/..{path}",
            f"{method} {LIVE}%2f..{path}",
            f"{method} {path}#{LIVE}",
        ):
            head = f"{start} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n"
            with socket.create_connection((where.hostname, where.port or 80), 20) as connection:
                connection.sendall(head.encode())
                said = connection.recv(64)
            if said.split(b" ")[1:2] not in ([b"401"], [b"403"]):
                broken.append(start.encode() + b" " + said[:20])
    return broken


def test_n3_no_spelling_of_the_head_goes_around_the_key(client_of: Client, loopback: None) -> None:
    routes = [each for each in every_route(client_of()) if each[1] != LIVE]
    with served(Access(key=KEY)) as address:
        assert unlocked_as_bytes(address, routes) == []


def test_n3_a_head_that_goes_around_it_would_be_noticed(
    loopback: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = security.check

    def check(access: Access, method: str, path: str, *rest: Any) -> None:
        if not path.startswith("http://"):
            real(access, method, path, *rest)

    monkeypatch.setattr(security, "check", check)
    with served(Access(key=KEY)) as address:
        assert len(unlocked_as_bytes(address, [("GET", "/v1/models")])) == 2


def test_n3_an_open_route_would_be_noticed(client_of: Client) -> None:
    client = client_of(Access(key=KEY, open=frozenset({"/v1/models"})))
    assert unlocked(client, [("GET", "/v1/models")])


def test_n3_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(given: bytes, key: bytes) -> bool:
        compared.append(given)
        return given == key

    monkeypatch.setattr(security.hmac, "compare_digest", compare)
    headers = Headers({"host": OWN, "x-api-key": "another"})
    with pytest.raises(HTTPError):
        security.check(Access(key=KEY), "GET", "/v1/models", headers, "http")
    assert compared == [b"another"]


# ── N4: never open by accident ────────────────────────────────────────────────────────────────────

EVERYWHERE = ["0.0.0.0", "::", "0", "192.168.1.5", "10.0.0.1", "example.org"]  # noqa: S104


def started(monkeypatch: pytest.MonkeyPatch, *extra: str) -> list[str]:
    """Hosts on which the command came to listen without a key."""
    listened: list[str] = []

    def listen(host: str, port: int) -> None:
        listened.append(host)
        raise SystemExit(0)

    monkeypatch.setattr(running, "listen", listen)
    monkeypatch.delenv("PARTWAY_API_KEY", raising=False)
    for host in EVERYWHERE:
        done = CliRunner().invoke(cli, ["serve", "--host", host, "--port", "0", *extra])
        assert host in listened or done.exit_code == 2, (host, done.output)
    return listened


def test_n4_without_a_key_only_this_machine_is_listened_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert started(monkeypatch) == []
    assert started(monkeypatch, "--api-key", "short") == []
    assert started(monkeypatch, "--api-key", KEY) == EVERYWHERE


def test_n4_a_check_less_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def allow(*args: Any) -> None:
        return None

    monkeypatch.setattr(running, "check_bind", allow)
    assert started(monkeypatch) == EVERYWHERE


# ── N5: no path escapes ───────────────────────────────────────────────────────────────────────────

TRIP = "tripwire.txt"
BASES = [TRIP, f"../{TRIP}", f"../../{TRIP}", f"{{folder}}/{TRIP}", f"..\\{TRIP}", f"....//{TRIP}",
         f"%2e%2e/{TRIP}", f"..%2f{TRIP}", f"..%5c{TRIP}", f"..%c0%af{TRIP}", f"./{TRIP}",
         f"file://{{folder}}/{TRIP}", f"\\\\server\\share\\{TRIP}", f"C:\\{TRIP}", f"C:{TRIP}",
         f"~/{TRIP}", f"/proc/self/cwd/{TRIP}", "/etc/passwd", "../../../../etc/passwd",
         "/dev/stdin"]  # fmt: skip
ENDS = ["", "\0.png", "::$DATA", "/", "\u202egnp.", "x" * 300]
NAMES = [base + end for base, end in product(BASES, ENDS)]


class Watch:
    """Files that are opened while it is on; audit hooks cannot be taken away again."""

    def __init__(self) -> None:
        self.on = False
        self.opened: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on and event == "open" and isinstance(args[0], str):
            self.opened.append(args[0])


WATCH = Watch()


def escaped(client: TestClient, folder: Path, names: Iterable[str] = NAMES) -> list[str]:
    """Files that names in requests made the server open."""
    from urllib.parse import quote

    names = [name.replace("{folder}", str(folder)) for name in names]
    WATCH.opened.clear()
    WATCH.on = True
    try:
        for name in names:
            quoted = quote(name, safe="")
            for field in ("model", "style", "spacing"):
                answer = client.post("/v1/edits", json={field: name, "prompt": "x"})
                assert 400 <= answer.status_code < 500, (field, name, answer.text)
            client.post("/v1/plan", json={"model": name})
            settings = {"sd_model_checkpoint": name}
            client.post("/sdapi/v1/options", json=settings)
            client.post("/sdapi/v1/txt2img", json={"override_settings": settings, "steps": 1})
            client.post("/v1/images/generations", json={"prompt": "x", "model": name})
            for route in ("styles", "examples", "models", "jobs"):
                client.get(f"/v1/{route}/{quoted}")
            client.get(f"/v1/jobs/{quoted}/images/0")
            client.get(f"/{quoted}")
    finally:
        WATCH.on = False
    roots = ("/etc", str(folder), "/dev/stdin", "/proc/self/cwd")
    return [path for path in WATCH.opened if TRIP in path or path.startswith(roots)]


def test_n5_no_name_opens_a_file(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / TRIP).write_text("caught")
    monkeypatch.chdir(tmp_path)
    assert len(NAMES) >= 120
    assert escaped(client, tmp_path) == []


def test_n5_a_name_read_as_a_path_would_be_noticed(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / TRIP).write_text("caught")
    monkeypatch.chdir(tmp_path)

    def read(name: str) -> Path:
        with suppress(OSError, ValueError):
            Path(name).open("rb").close()
        raise uploads.InvalidRequest("no such style")

    monkeypatch.setattr(edit_fields, "style_file", read)
    assert escaped(client, tmp_path, BASES[:4])


# ── N6: settings cannot be changed or leaked ──────────────────────────────────────────────────────

# of A1111's settings, up to version 1.10
OPTIONS = Path(__file__).with_name("a1111_options.txt").read_text("utf-8").split()


def changed(client: TestClient, options: Iterable[str] = OPTIONS) -> list[str]:
    """Settings that a client could change."""

    def now() -> dict[str, Any]:
        return client.get("/sdapi/v1/options").json()

    before = now()
    for option in options:
        client.post("/sdapi/v1/options", json={option: "analytic"})
    return sorted(name for name, value in now().items() if value != before.get(name, ...))


def told(client: TestClient, key: str) -> list[str]:
    """Places that tell the key."""
    headers = {"X-API-Key": key}
    broken: list[str] = []
    for method, template in every_route(client):
        path = filled(template)
        answer = client.request(method, path, headers=headers)
        if key in answer.text or key in str(answer.headers):
            broken.append(path)
    for route, field in (("/v1/images/generations", "data"), ("/sdapi/v1/txt2img", "images")):
        body = {"prompt": "navy", "steps": 1, "model": "analytic", "size": "64x64"}
        made = client.post(route, json=body, headers=headers)
        picture = made.json()[field][0]
        if key.encode() in base64.b64decode(picture if route[1] == "s" else picture["b64_json"]):
            broken.append(f"the file of {route}")
    return broken


def test_n6_only_the_model_is_a_setting(client: TestClient) -> None:
    assert len(OPTIONS) >= 200
    assert changed(client) == []  # "analytic" is the model already
    client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "pocket"})
    assert client.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == "pocket"


def test_n6_a_setting_that_acts_would_be_noticed(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}
    parse: Any = sdapi.parse_json
    real: Any = getattr(sdapi, "_options")  # noqa: B009

    def keep(body: bytes) -> dict[str, Any]:
        kept.update(parse(body))
        return parse(body)

    def options(state: Any, default: str) -> dict[str, Any]:
        return real(state, default) | kept

    monkeypatch.setattr(sdapi, "parse_json", keep)
    monkeypatch.setattr(sdapi, "_options", options)
    assert changed(client, OPTIONS[:3]) == sorted(OPTIONS[:3])


def test_n6_the_key_stays_secret(client_of: Client, capfd: pytest.CaptureFixture[str]) -> None:
    assert told(client_of(Access(key=KEY)), KEY) == []
    assert KEY not in "".join(capfd.readouterr())


def test_n6_a_leak_would_be_noticed(client_of: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = getattr(sdapi, "_options")  # noqa: B009

    def leaking(state: Any, default: str) -> dict[str, Any]:
        return real(state, default) | {"api_auth": KEY}

    monkeypatch.setattr(sdapi, "_options", leaking)
    assert told(client_of(Access(key=KEY)), KEY) == ["/sdapi/v1/options"]


# ── N7: whatever is sent is answered below 500 ────────────────────────────────────────────────────

HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
BODIES = {
    "/v1/edits": edit_fields.EditJSON,
    "/v1/sweeps": edit_fields.SweepJSON,
    "/sdapi/v1/img2img": sdapi_request.ImageFields,
    "/sdapi/v1/txt2img": sdapi_request.TextFields,
    "/v1/images/generations": openai_images.ImagesFields,
    "/v1/images/edits": openai_images.ImagesFields,
}
OTHERS = {"/v1/plan": ("strength", "steps", "model", "dial", "spacing"),
          "/v1/inspect": ("source",), "/sdapi/v1/options": ("sd_model_checkpoint", "x"),
          "/sdapi/v1/png-info": ("image",)}  # fmt: skip
FIELDS: dict[str, Iterable[str]] = {
    **{path: tuple(model.model_fields) for path, model in BODIES.items()},
    **OTHERS,
}


@pytest.mark.parametrize("path", FIELDS)
def test_n7_no_body_is_a_server_error(path: str, client: TestClient) -> None:
    names = sorted({*FIELDS[path], "image", "references", "nonsense"})

    @settings(max_examples=200, suppress_health_check=HEALTH)
    @given(st.dictionaries(st.sampled_from(names), VALUES, max_size=4))
    def send(body: dict[str, Any]) -> None:
        import json

        data = json.dumps(body | {"steps": body.get("steps", 1)})
        answer = client.post(path, content=data, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, (body, answer.text)
        if answer.status_code >= 400:
            assert answer.json()["error"]

    send()


def test_n7_what_is_no_json_is_4xx(client: TestClient) -> None:
    sent = {"Content-Type": "application/json"}
    for path, body in product(
        FIELDS, [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 5000, b"1e999"]
    ):
        answer = client.post(path, content=body, headers=sent)
        assert 400 <= answer.status_code < 500, (path, body[:10], answer.text)
