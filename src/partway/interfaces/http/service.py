"""What every API does with a request: check it, submit it, wait for it.

The routes of an API read their own dialect into EditRequests; from there on they share this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from partway import images
from partway.advice import advise, vocabulary_of
from partway.edits.region import selected
from partway.errors import UnknownName
from partway.executors import Executor
from partway.families import DEFAULT_MODEL, EMBEDDED, Profile, profile_of
from partway.geometry import Extent
from partway.interfaces.http.errors import Conflict
from partway.interfaces.http.fitting import check_size
from partway.interfaces.http.jobs import Checked, Job, Jobs
from partway.interfaces.http.results import check_format
from partway.interfaces.http.searching import Search, trials_of
from partway.outline import calibration_of, outline
from partway.settings import load_settings
from partway.strength import named_strength

if TYPE_CHECKING:
    from starlette.requests import Request

    from partway.request import EditRequest
    from partway.run import Mode

P = ParamSpec("P")
T = TypeVar("T")

OFFERED = (*EMBEDDED, "exemplar")  # where no -m says otherwise
CHECKERS = 2  # pictures decoded at once before they are accepted


class Gone(Conflict):
    """The client left while it waited; nobody reads this answer."""

    code = "client_gone"


class Models:
    """The models of this server: requests choose among their names and name no path.

    allowed  names or folders beside those that are always offered; the first is the default
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        given = list(allowed)
        self.profiles: dict[str, Profile] = {}
        self._models: dict[str, str] = {}
        for model in (*given, *OFFERED):
            profile = profile_of(model)
            if profile.name not in self._models:
                self.profiles[profile.name] = profile
                self._models[profile.name] = model
        self._default = given[0] if given else None
        self.default = next(iter(self.profiles)) if given else DEFAULT_MODEL

    def resolve(self, name: str | None, *, styled: bool = False) -> str | None:
        """What a name in a request stands for; the server's default where it names none.

        styled  whether style pictures are given, which bring their own model
        """
        if name is None:
            return None if styled else self._default
        if name not in self._models:
            raise UnknownName("model", name, self._models)
        return self._models[name]


@dataclass(eq=False)
class Service:
    """The parts that routes use.

    seconds  a job may take, waiting included
    """

    executor: Executor
    models: Models
    jobs: Jobs
    seconds: float = 600.0

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(CHECKERS, "partway-check")

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what takes time on pictures; only few at once, which bounds memory."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(work, *args, **kwargs))

    async def submit(
        self,
        requests: Sequence[EditRequest],
        *,
        mode: Mode = "shared",
        preview_every: int = 0,
        format_name: str = "png",
        metadata: bool = True,
        keep_gps: bool = False,
        word: str | None = None,
        keep: float | None = None,
    ) -> Job:
        """Check requests and have them run: a job. Raises what is wrong with any of them.

        word  of WORDS, in place of their strengths
        keep  share of structure to keep, in place of the one request's strength: it is looked for
        """
        format_name = check_format(format_name)
        checked = await self.in_thread(check_requests, requests, word)
        metadata = metadata and load_settings().metadata
        job = Job(checked, format_name, metadata=metadata, keep_gps=keep_gps)
        try:
            if keep is not None:
                walk, first = trials_of(checked, keep)
                Search(
                    self.executor,
                    job,
                    walk,
                    keep,
                    mode=mode,
                    preview_every=preview_every,
                    seconds=self.seconds,
                ).run(first)
            else:
                job.submission = self.executor.submit(
                    [each.request for each in checked],
                    mode=mode,
                    preview_every=preview_every,
                    seconds=self.seconds,
                    on_event=job.hear,
                    keep=False,
                )
        except BaseException:
            job.forget()
            raise
        self.jobs.add(job)
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job; no other is touched."""
        job.stopping = True
        if job.submission is not None:
            self.executor.cancel(job.submission)

    async def wait(self, job: Job, request: Request) -> Job:
        """The finished job; a client that leaves cancels it. Raises its error if nothing is done.

        request  that waits
        """
        waiting = asyncio.create_task(job.wait())
        leaving = asyncio.create_task(until_gone(request))
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        gone = not waiting.done()
        waiting.cancel()
        leaving.cancel()
        if gone:
            self.cancel(job)
            raise Gone("the client left")
        if job.error is not None:
            raise job.error
        return job

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def service_of(request: Request) -> Service:
    """The service of the application that answers."""
    return cast("Service", request.app.state.service)


async def until_gone(request: Request) -> None:
    """Until the client closes the connection; its body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def check_requests(requests: Sequence[EditRequest], word: str | None = None) -> list[Checked]:
    """Decode the pictures of requests and outline each; the model is chosen once per source.

    Requests of one source have one mask.

    word  of WORDS, in place of their strengths: the model says which number it is
    """
    references = {id(data): data for each in requests for data in each.references}
    for data in references.values():
        images.load(data, "the style picture")
    sources = {id(each.source): each.source for each in requests}
    checked: dict[int, Checked] = {}
    for source in sources.values():  # one decoded picture at a time: they are large
        of_it = {at: each for at, each in enumerate(requests) if each.source is source}
        checked |= _check_source(source, of_it, word)
    return [checked[index] for index in range(len(requests))]


def _check_source(
    source: bytes | None, requests: dict[int, EditRequest], word: str | None
) -> dict[int, Checked]:
    """The requests of one source, or of none, under their positions."""
    picture = None if source is None else images.load(source)
    if picture is not None:
        selected(next(iter(requests.values())), picture)  # a mask that cannot be is no failed job
    chosen: str | None = None
    checked: dict[int, Checked] = {}
    for index, asked in requests.items():
        if asked.size is not None:
            check_size(Extent(*asked.size))
        request = asked if asked.model is not None else asked.with_(model=chosen)
        whole = outline(request, picture)
        if request.model is None and whole.profile is not None:
            chosen = whole.profile.name
            request = request.with_(model=chosen)
        if word is not None and whole.profile is not None:
            gain, curve = calibration_of(request, whole.profile)
            request = request.with_(strength=named_strength(word, request.dial, gain, curve))
            whole = outline(request, picture)
        checked[index] = Checked(request, whole, hints_of(request, whole.profile))
    return checked


def hints_of(request: EditRequest, profile: Profile | None) -> list[str]:
    """Advice on a request."""
    return advise(
        request.prompt,
        strength=request.strength,
        has_source=request.source is not None,
        model="the model" if profile is None else profile.name,
        vocabulary=None if profile is None else vocabulary_of(profile.folder),
        styled=bool(request.references),
    )
