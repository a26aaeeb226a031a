"""Options that say what makes the pictures of a batch: this process, several devices, a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click

from partway.checkpoints.device import check_device
from partway.choosing import FOR_REFERENCES
from partway.errors import InvalidRequest
from partway.executors.pool import Pool, engine_on
from partway.executors.ray import Cluster, connected, on_ray
from partway.interfaces.cli.values import Registered

if TYPE_CHECKING:
    from partway.jobs.folder import Live
    from partway.request import EditRequest

EXECUTORS = ("local", "ray")
MAX_WORKERS = 1024
OF_RAY = ("address", "workers", "gpus")

Places: TypeAlias = "Cluster | tuple[str, ...]"  # devices; none is this process

F = TypeVar("F", bound=Callable[..., Any])


def worker_options(function: F) -> F:
    """--devices, --executor and what belongs to Ray, so that --help lists them in this order."""
    decorators = (
        click.option(
            "--devices",
            metavar="LIST",
            help="One worker process on each: cuda:0,cuda:1, or cpu,cpu. [default: this process]",
        ),
        click.option(
            "--executor",
            type=Registered("executor", EXECUTORS),
            default="local",
            show_default=True,
            help="This machine, or workers on a Ray cluster.",
        ),
        click.option(
            "--address",
            metavar="HOST:PORT|auto",
            help="Of a running Ray cluster. [default: one is started here, and ends with the job]",
        ),
        click.option(
            "--workers",
            type=click.IntRange(1, MAX_WORKERS),
            help="On Ray, at most. [default: one for each accelerator, else for each machine]",
        ),
        click.option(
            "--gpus",
            type=click.FloatRange(0, 64),
            help="Of each worker on Ray; 0.5 lets two share one. [default: 0]",
        ),
    )
    for option in reversed(decorators):
        function = option(function)
    return function


def places(devices: str | None, executor: str, of_ray: Mapping[str, Any]) -> Places:
    """Where pictures are made, checked; InvalidRequest for options that exclude each other.

    of_ray  values of OF_RAY
    """
    given = {name: value for name, value in of_ray.items() if value is not None}
    if executor == "ray":
        if devices is not None:
            raise InvalidRequest("--devices are this machine's: with --executor ray give --gpus")
        return Cluster(**given)
    if given:
        raise InvalidRequest(f"--{next(iter(given))} is for Ray: give --executor ray with it")
    if devices is None:
        return ()
    names = tuple(check_device(word.strip()) for word in devices.split(",") if word.strip())
    if not 1 <= len(names) <= MAX_WORKERS:
        raise InvalidRequest(f"--devices is {devices!r}, want some; try cuda:0,cuda:1")
    return names


@contextmanager
def started(
    where: Places, request: EditRequest, memory: int
) -> Generator[tuple[Callable[[], Live] | None, int]]:
    """What starts the workers, and how many; None where this process works itself.

    memory  bytes each of them remembers
    """
    model = FOR_REFERENCES if request.references else request.model
    if isinstance(where, Cluster):
        with connected(where) as count:
            engines = [partial(engine_on, None, model, memory)] * count
            yield partial(Pool, engines, on_ray(where)), count
    elif where:
        engines = [partial(engine_on, name, model, memory) for name in where]
        yield partial(Pool, engines), len(where)
    else:
        yield None, 1
