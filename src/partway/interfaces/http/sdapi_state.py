"""What A1111's API remembers between requests: the chosen model, and whose pictures are whose.

Its clients name no job, so a caller is known by address, user name (of Basic authentication) and
User-Agent.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from starlette.requests import Request

    from partway.interfaces.http.jobs import Job

Caller: TypeAlias = tuple[str, str, str]


@dataclass(eq=False)
class State:
    """The state.

    model  a name in the server's list, of requests that name none; None is the server's own choice
    """

    model: str | None = None
    _jobs: dict[str, tuple[Caller, Job]] = field(default_factory=dict[str, "tuple[Caller, Job]"])

    def remember(self, request: Request, job: Job) -> None:
        """Note whose job it is; finished ones are forgotten."""
        self._jobs = {name: each for name, each in self._jobs.items() if not each[1].finished}
        self._jobs[job.id] = (caller(request), job)

    def jobs(self, request: Request) -> list[Job]:
        """The caller's jobs that are not finished, oldest first."""
        me = caller(request)
        return [job for whose, job in self._jobs.values() if whose == me and not job.finished]


def caller(request: Request) -> Caller:
    """Who asks."""
    address = "" if request.client is None else request.client.host
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    user = ""
    if scheme.lower() == "basic":
        try:
            user = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, ValueError):
            user = ""
    return address, user, request.headers.get("user-agent", "")


def state_of(request: Request) -> State:
    """The state of the application that answers."""
    return cast("State", request.app.state.sdapi)
