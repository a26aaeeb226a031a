"""Options that say what makes the pictures: this machine, several of its devices, a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar

import click

from partway.batcher import MAX_ROWS
from partway.checkpoints.device import check_device
from partway.errors import InvalidRequest
from partway.executors.pool import engine_on
from partway.executors.ray import Cluster, connected, on_ray
from partway.executors.worker import MakeEngine, Start, in_process
from partway.interfaces.cli.values import Registered

EXECUTORS = ("local", "ray")
MAX_WORKERS = 1024
MIB = 2**20
OF_RAY = ("address", "workers", "gpus")

Places: TypeAlias = "Cluster | tuple[str, ...]"  # devices; none is this process

F = TypeVar("F", bound=Callable[..., Any])


def in_bytes(ctx: click.Context, param: click.Parameter, mib: int | None) -> int | None:
    """What an option says in MiB."""
    del ctx, param
    return None if mib is None else mib * MIB


class Workers(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  newer click
    """MIN:MAX workers, or N for both."""

    name = "N|MIN:MAX"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Both numbers, or InvalidRequest."""
        del param, ctx
        low, colon, high = value.partition(":")
        try:
            least, most = int(low), int(high if colon else low)
        except ValueError:
            least = most = 0
        if not 1 <= least <= most <= MAX_WORKERS:
            raise InvalidRequest(
                f"workers is {value!r}, want N or MIN:MAX with 1 ≤ MIN ≤ MAX ≤ {MAX_WORKERS}; "
                "try 2:16"
            )
        return least, most


def worker_options(function: F) -> F:
    """Where workers run and what each takes, so that --help lists it in this order."""
    decorators = (
        click.option(
            "--devices",
            metavar="LIST",
            help="One worker process on each: cuda:0,cuda:1, or cpu,cpu. [default: one worker]",
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
            help="Of a running Ray cluster. [default: one is started here and ends with us]",
        ),
        click.option(
            "--workers",
            type=Workers(),
            help="On Ray. N are asked for at the start and kept; of MIN:MAX so are MIN, and others "
            "come while pictures wait and go when idle. [default: one for each accelerator, else "
            "for each machine]",
        ),
        click.option(
            "--gpus",
            type=click.FloatRange(0, 64),
            help="Of each worker on Ray; 0.5 lets two share one. [default: 0]",
        ),
        click.option(
            "--batch-size",
            type=click.IntRange(1, 1024),
            default=MAX_ROWS,
            show_default=True,
            metavar="ROWS",
            help="Of one network call: a picture has one, with guidance two.",
        ),
        click.option(
            "--model-memory",
            type=click.IntRange(1, 10_000_000),
            callback=in_bytes,
            metavar="MIB",
            help="Of weights that each worker keeps loaded. [default: three quarters of an "
            "accelerator's memory, else half of the machine's]",
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
    where: Cluster | Sequence[str | None],
    model: str | None,
    **options: Any,
) -> Generator[tuple[Start, list[MakeEngine], int]]:
    """What starts workers, the engine of each there may be, and how many are kept.

    One for each device, or as the cluster has it.

    model    loaded before the first picture
    options  of each, as of Engine
    """
    if isinstance(where, Cluster):
        with connected(where) as (least, most):
            engine = partial(engine_on, None, model, **options)
            yield on_ray(where), [engine] * most, least
    else:
        engines = [partial(engine_on, name, model, **options) for name in where]
        yield in_process, engines, len(engines)
