"""Inputs and settings to items: one result each, its name and settings known beforehand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from partway.checkpoints.lora import digest_of
from partway.choosing import FOR_REFERENCES
from partway.errors import InvalidRequest, PartwayError
from partway.families import DEFAULT_MODEL, profile_of, with_loras
from partway.images import SUFFIXES, check_quality, format_for
from partway.jobs.inputs import FILES
from partway.jobs.listing import READABLE
from partway.metadata.fingerprint import fingerprint_of
from partway.noise import MAX_SEED
from partway.settings import calibration_for

if TYPE_CHECKING:
    from partway.jobs.files import AnyPath
    from partway.jobs.inputs import Input, Inputs
    from partway.request import EditRequest
    from partway.run import Mode

SEEDS = ("same", "by-name", "count")
# Fields that only a request with a mask may have: they wait until its file is read.
OF_PARTS = {
    *FILES, "alpha_mask", "mask_invert", "mask_grow", "mask_feather", "fill", "only_masked",
    "padding",
}  # fmt: skip


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
class Common:
    """What a job says of all its pictures.

    strengths  several results of each input, unless the input names a strength of its own
    word       of strength.WORDS, in place of the request's strength
    seeds      "same": the request's seed for all; "by-name": from the seed and the input's name,
               whatever else is in the folder; "count": seed, seed + 1 … in the order of names
    part       fields of OF_PARTS; a mask or map is a file for all, or a folder with one of each
               input's name
    embedded   fields of jobs.embedded that are taken from what a source's own file says
    mode       of network calls
    """

    request: EditRequest
    writing: Writing = Writing()
    strengths: Sequence[float] = ()
    word: str | None = None
    seeds: str = "same"
    part: Mapping[str, Any] = field(default_factory=dict[str, Any])
    embedded: tuple[str, ...] = ()
    mode: Mode = "shared"


@dataclass(frozen=True, slots=True)
class Item:
    """One result to make.

    name      relative, of its file; what the journal knows it by
    request   all of it but the source, what lies on it and what the model decides
    part      fields of OF_PARTS; those of FILES as paths
    word      of strength.WORDS, in place of the request's strength
    embedded  fields to take from what the source's own file says
    params    SHA-256 of all settings that decide its bytes: the source and what lies on it apart
    error     what is wrong with its settings; request is the job's own then
    """

    name: str
    source: AnyPath
    request: EditRequest
    part: Mapping[str, Any]
    word: str | None
    embedded: tuple[str, ...]
    params: str
    error: PartwayError | None = None

    @property
    def files(self) -> tuple[AnyPath, ...]:
        """What its bytes are made from: the source, then what lies on it."""
        lain = (self.part.get(name) for name in FILES)
        return (self.source, *(path for path in lain if path is not None))


class Items:
    """All results of a job in the order of names, made when asked for.

    A position names one of them for as long as the inputs are the same.
    """

    def __init__(self, inputs: Inputs, common: Common) -> None:
        self._inputs = inputs
        self._common = common
        self._strengths = common.strengths or (common.request.strength,)
        self._networks: dict[tuple[str, tuple[str, ...]], object] = {}

    def __iter__(self) -> Iterator[tuple[int, Item]]:
        """Positions and items; InvalidRequest where two would have one name."""
        taken: dict[str, int] = {}
        for number in range(len(self._inputs)):
            each = self._inputs[number]
            for which in range(len(self._strengths)):
                item = self._item(number, each, which)
                other = taken.setdefault(item.name, number)
                if other != number:
                    raise InvalidRequest(
                        f"{self._inputs[other].path.name} and {each.path.name} would both become "
                        f"{item.name}: rename one, or leave --format out"
                    )
                yield number * len(self._strengths) + which, item
                if "strength" in each.said:
                    break  # of its own, once

    def __getitem__(self, position: int) -> Item:
        """The item of a position."""
        number, which = divmod(position, len(self._strengths))
        return self._item(number, self._inputs[number], which)

    def _item(self, number: int, each: Input, which: int) -> Item:
        """One result of an input."""
        common, error = self._common, each.error
        said = {name: value for name, value in each.said.items() if name not in OF_PARTS}
        word = said.get("strength", common.word)
        if isinstance(word, str):
            said["strength"] = None
        else:
            word = None  # a strength of its own
        if "steps" in said:
            said["full_steps"] = None
        seed = _seed(common.seeds, common.request.seed, each.name, number)
        try:
            own = common.request.with_(
                **({"strength": self._strengths[which], "seed": seed} | said)
            )
            part = self._part(each)
        except PartwayError as wrong:
            own, part, error = common.request, {}, error or wrong
        path, writing = PurePosixPath(each.name), common.writing
        own_suffix = path.suffix if path.suffix.lower() in SUFFIXES else ".png"
        suffix = own_suffix if writing.suffix is None else writing.suffix
        named = len(common.strengths) > 0 and own.strength is not None
        mark = f"-s{own.strength:g}" if named else ""
        name = path.with_name(f"{path.stem}{mark}{suffix}").as_posix()
        try:
            check_quality(writing.quality, format_for(Path(name)))
        except PartwayError as wrong:
            error = error or wrong
        embedded = tuple(field for field in common.embedded if field not in each.said)
        params = self._params(own, part, word, embedded, error)
        return Item(name, each.path, own, part, word, embedded, params, error)

    def _part(self, each: Input) -> dict[str, Any]:
        """The fields of masks and maps of an input: its own file's in place of the job's."""
        said = {name: value for name, value in each.said.items() if name in OF_PARTS}
        part = dict(self._common.part)
        if {*FILES, "alpha_mask"} & said.keys():
            part = {name: value for name, value in part.items() if name not in FILES}
            part.pop("alpha_mask", None)
        part |= said
        for name in FILES:
            if part.get(name) is not None and part[name].is_dir():
                part[name] = _counterpart(part[name], each.name)
        part = {name: value for name, value in part.items() if value is not None}
        if part.get("mask") or part.get("alpha_mask"):
            return part
        # What the job says of masks is not about a picture that has none.
        return said | {name: part[name] for name in FILES if name in part}

    def _params(
        self,
        request: EditRequest,
        part: Mapping[str, Any],
        word: str | None,
        embedded: tuple[str, ...],
        error: PartwayError | None,
    ) -> str:
        """The hash of a result's settings; the same in every process.

        Fields at their defaults are left out: one that a later version adds makes nothing anew.
        """
        writing = self._common.writing
        given = {f.name: getattr(request, f.name) for f in fields(request)}
        values: dict[str, Any] = {
            f.name: given[f.name] for f in fields(request) if given[f.name] != f.default
        }
        values |= {name: str(value) for name, value in part.items()}
        values |= {"word": word, "quality": writing.quality}
        values |= {"keep_gps": writing.keep_gps, "metadata": writing.metadata}
        values |= {"error": None if error is None else str(error)}
        if embedded:
            values["embedded"] = embedded
        if self._common.mode != "shared":
            values["mode"] = self._common.mode
        if error is None:
            values["networks"] = self._networks_of(request)
        text = json.dumps(values, sort_keys=True, default=_hash_of_bytes)
        return hashlib.sha256(text.encode()).hexdigest()

    def _networks_of(self, request: EditRequest) -> object:
        """What tells the networks and their calibration from others; looked up once each.

        A request that names no model gets one of two by what it brings.
        """
        default = FOR_REFERENCES if request.references else DEFAULT_MODEL
        key = (request.model or default, request.loras)
        if key not in self._networks:
            try:
                profile = with_loras(profile_of(key[0]), key[1])
                gain, curve = calibration_for(profile)
                loras = () if profile.checkpoint is None else profile.checkpoint.loras
                self._networks[key] = (
                    fingerprint_of(profile),
                    [digest_of(each.file) for each in loras],
                    gain,
                    None if curve is None else curve.flat,
                )
            except PartwayError as error:  # said of each picture when it is made
                self._networks[key] = str(error)
        return self._networks[key]


def _counterpart(folder: AnyPath, name: str) -> AnyPath:
    """The file of a folder that is named as an input is, in any format."""
    place = folder / name
    suffixes = (place.suffix, *sorted(READABLE))
    found = next((p for p in map(place.with_suffix, suffixes) if p.is_file()), None)
    if found is None:
        raise InvalidRequest(f"{folder} has nothing for {name}: want {place.stem}.png there")
    return found


def _seed(policy: str, seed: int, name: str, position: int) -> int:
    """The seed of one input."""
    if policy == "same":
        return seed
    if policy == "count":
        return (seed + position) % (MAX_SEED + 1)
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _hash_of_bytes(value: Any) -> str:
    """Style pictures and other files of a request."""
    return hashlib.sha256(value).hexdigest()
