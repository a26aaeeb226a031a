"""Inputs and settings to items: one result each, its name and settings known beforehand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from partway.errors import InvalidRequest, PartwayError
from partway.images import SUFFIXES, check_quality, format_for
from partway.noise import MAX_SEED

if TYPE_CHECKING:
    from partway.jobs.inputs import Input
    from partway.request import EditRequest

SEEDS = ("same", "by-name", "count")


@dataclass(frozen=True, slots=True)
class Writing:
    """How results are written.

    suffix    of all results, as ".png"; None is the source's own where it can be written
    quality   1 … 100 of lossy files
    """

    suffix: str | None = None
    quality: int | None = None
    keep_gps: bool = False
    metadata: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """One result to make.

    name     relative, of its file; what the journal knows it by
    request  all of it but the source and what the model decides
    word     of strength.WORDS, in place of the request's strength
    params   SHA-256 of all settings that decide its bytes, the source apart
    error    what is wrong with its settings; request is the job's own then
    """

    name: str
    source: Path
    request: EditRequest
    word: str | None
    params: str
    error: PartwayError | None = None


def items_of(
    inputs: Sequence[Input],
    request: EditRequest,
    writing: Writing,
    *,
    strengths: Sequence[float] = (),
    word: str | None = None,
    seeds: str = "same",
) -> list[Item]:
    """All results of a job, by name; InvalidRequest where two would have one name.

    strengths  several results of each input, unless the input names a strength of its own
    seeds      "same": the request's seed for all; "by-name": from the seed and the input's name,
               whatever else is in the folder; "count": seed, seed + 1 … in the order of names
    """
    items: dict[str, Item] = {}
    for position, each in enumerate(inputs):
        seed = _seed(seeds, request.seed, each.name, position)
        for strength in strengths or (request.strength,):
            item = _item(each, request, writing, strength, word, seed, named=len(strengths) > 0)
            if item.name in items:
                other = items[item.name].source.name
                if items[item.name].source == item.source:
                    continue  # a strength of its own, once
                raise InvalidRequest(
                    f"{other} and {each.path.name} would both become {item.name}: "
                    "rename one, or leave --format out"
                )
            items[item.name] = item
    return list(items.values())


def _item(
    each: Input,
    request: EditRequest,
    writing: Writing,
    strength: float | None,
    word: str | None,
    seed: int,
    *,
    named: bool,
) -> Item:
    """One result of an input."""
    error = each.error
    if "strength" in each.said:
        word = None
    try:
        own = request.with_(**({"strength": strength, "seed": seed} | dict(each.said)))
    except PartwayError as wrong:
        own, error = request, wrong
    path = PurePosixPath(each.name)
    own_suffix = path.suffix if path.suffix.lower() in SUFFIXES else ".png"
    suffix = own_suffix if writing.suffix is None else writing.suffix
    mark = f"-s{own.strength:g}" if named and own.strength is not None else ""
    name = path.with_name(f"{path.stem}{mark}{suffix}").as_posix()
    try:
        check_quality(writing.quality, format_for(Path(name)))
    except PartwayError as wrong:
        error = error or wrong
    return Item(name, each.path, own, word, _params(own, word, writing, error), error)


def _seed(policy: str, seed: int, name: str, position: int) -> int:
    """The seed of one input."""
    if policy == "same":
        return seed
    if policy == "count":
        return (seed + position) % (MAX_SEED + 1)
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _params(
    request: EditRequest, word: str | None, writing: Writing, error: PartwayError | None
) -> str:
    """The hash of a result's settings; the same in every process.

    Fields at their defaults are left out: one that a later version adds makes nothing anew.
    """
    given = {f.name: getattr(request, f.name) for f in fields(request)}
    values: dict[str, Any] = {
        f.name: given[f.name] for f in fields(request) if given[f.name] != f.default
    }
    values |= {"word": word, "quality": writing.quality}
    values |= {"keep_gps": writing.keep_gps, "metadata": writing.metadata}
    values |= {"error": None if error is None else str(error)}
    text = json.dumps(values, sort_keys=True, default=_hash_of_bytes)
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_of_bytes(value: Any) -> str:
    """Style pictures and other files of a request."""
    return hashlib.sha256(value).hexdigest()
