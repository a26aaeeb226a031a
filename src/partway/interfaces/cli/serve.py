"""`partway serve` and `partway page`: the HTTP server, without and with a browser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from partway.engine import CACHE_BYTES
from partway.errors import InvalidRequest
from partway.interfaces.cli.inputs import configured_model
from partway.interfaces.cli.workers import MIB, OF_RAY, in_bytes, places, started, worker_options

if TYPE_CHECKING:
    from partway.interfaces.http.running import Options

F = TypeVar("F", bound=Callable[..., Any])


def serve_options(function: F) -> F:
    """What both commands take."""
    function = worker_options(function)
    for option in reversed(
        [
            click.option("--host", default="127.0.0.1", show_default=True, help="To listen on."),
            click.option("--port", default=7861, show_default=True, help="0 takes a free one."),
            click.option(
                "--api-key",
                envvar="PARTWAY_API_KEY",
                metavar="KEY",
                help="Every request must bring it; needed where others can reach --host. Better "
                "in the environment as PARTWAY_API_KEY: others see command lines.",
            ),
            click.option(
                "-m",
                "--model",
                "models",
                multiple=True,
                metavar="MODEL",
                help="A model requests may name, beside the embedded ones; the first is the "
                "default. May be given several times.",
            ),
            click.option(
                "--allow-host", multiple=True, metavar="NAME", help="A further name of this server."
            ),
            click.option(
                "--allow-origin",
                multiple=True,
                metavar="URL",
                help="A further site whose pages may ask.",
            ),
            click.option(
                "--queue",
                type=click.IntRange(1, 10_000),
                default=32,
                show_default=True,
                help="Jobs that may wait; more are answered 429.",
            ),
            click.option(
                "--timeout",
                type=click.FloatRange(1),
                default=600,
                show_default=True,
                help="Seconds a job may take, waiting included.",
            ),
            click.option(
                "--grace",
                type=click.FloatRange(0, 3600),
                default=30,
                show_default=True,
                help="Seconds to finish what runs after Ctrl-C or SIGTERM.",
            ),
            click.option(
                "--memory",
                type=click.IntRange(0, 1_000_000),
                callback=in_bytes,
                default=CACHE_BYTES // MIB,
                show_default=True,
                metavar="MIB",
                help="Of prompts and pictures that each worker remembers.",
            ),
        ]
    ):
        function = option(function)
    return function


@click.command("serve")
@serve_options
def command(**given: Any) -> None:
    """Serve the web page and the HTTP APIs until Ctrl-C.

    Listens on this machine only, unless an API key is set. Jobs and their files stay with this
    process; --devices and --executor say where their pictures are made.
    """
    run(given, browser=False)


def run(given: dict[str, Any], *, browser: bool) -> None:
    """Serve with the options of the command line."""
    try:
        from partway.interfaces.http import running
    except ModuleNotFoundError as error:
        raise InvalidRequest(
            f"the server needs {error.name}: pip install 'partway[server]'"
        ) from error

    def up(address: str) -> None:
        click.echo(f"Partway is at {address}  (Ctrl-C stops it)", err=True)
        if browser:
            threading.Timer(0.5, click.launch, [address]).start()

    of_ray = {name: given[name] for name in OF_RAY}
    where = places(given["devices"], given["executor"], of_ray) or (None,)
    options = _options(running.Options, given)
    first = options.models[0] if options.models else None
    workers = started(
        where,
        first,
        max_rows=given["batch_size"],
        cache_bytes=given["memory"],
        model_bytes=given["model_memory"],
    )
    running.serve(options, up, workers)


def _options(kind: type[Options], given: dict[str, Any]) -> Options:
    """The server's options; the settings' model is the default where no -m is given."""
    configured = configured_model(None)
    models = given["models"] or (() if configured is None else (configured,))
    return kind(
        host=given["host"],
        port=given["port"],
        key=given["api_key"] or None,
        models=models,
        allow_hosts=given["allow_host"],
        allow_origins=given["allow_origin"],
        queue_size=given["queue"],
        seconds=given["timeout"],
        grace=given["grace"],
    )
