"""What A1111's API remembers between requests: the chosen model, and whose pictures are whose.

Its clients name no job, or by a name of their own (`force_task_id`), so a caller is known by
address, user name (of Basic authentication) and User-Agent.
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from starlette.requests import Request

    from partway.interfaces.http.jobs import Job

Caller: TypeAlias = tuple[str, str, str]


ENDED = 64  # named tasks of all callers that are remembered as finished


@dataclass(frozen=True, eq=False)
class Task:
    """A job, whose it is, and the name that its caller gave it; "" where none was given."""

    job: Job
    whose: Caller
    name: str


@dataclass(eq=False)
class State:
    """The state.

    model  a name in the server's list, of requests that name none; None is the server's own choice
    """

    model: str | None = None
    _tasks: list[Task] = field(default_factory=list[Task])
    _ended: deque[tuple[Caller, str]] = field(
        default_factory=lambda: deque[tuple[Caller, str]](maxlen=ENDED)
    )

    def remember(self, request: Request, job: Job, name: str) -> None:
        """Note whose job it is, and what its caller calls it."""
        self._tidy()
        self._tasks.append(Task(job, caller(request), name))

    def jobs(self, request: Request) -> list[Job]:
        """The caller's jobs that are not finished, oldest first."""
        return [task.job for task in self.tasks(request)]

    def tasks(self, request: Request) -> list[Task]:
        """The same with their names."""
        self._tidy()
        me = caller(request)
        return [task for task in self._tasks if task.whose == me]

    def ended(self, request: Request, name: str) -> bool:
        """Whether a task of the caller's is finished, of the latest ones."""
        self._tidy()
        return (caller(request), name) in self._ended

    def _tidy(self) -> None:
        """Keep of finished jobs their names only, where they have any."""
        finished = [each for each in self._tasks if each.job.finished]
        self._ended.extend((each.whose, each.name) for each in finished if each.name)
        self._tasks = [each for each in self._tasks if not each.job.finished]


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
