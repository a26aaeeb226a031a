"""How far A1111's clients are: what its own page asks of a task by name, `force_task_id`.

/internal/progress and /internal/pending-tasks as of version 1.10 (modules/progress.py); a task is
known to whoever submitted it, and to nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from partway.interfaces.http.sdapi_state import state_of

if TYPE_CHECKING:
    from partway.interfaces.http.jobs import Entry, Job

router = APIRouter(prefix="/internal")

LEAST = 0.01  # progress of what has begun, as there


class ProgressFields(BaseModel):
    """What is asked.

    id_task          as given in force_task_id
    id_live_preview  of the preview that is known already
    """

    id_task: str = ""
    id_live_preview: int = -1
    live_preview: bool = True


@router.get("/ping")
async def ping() -> dict[str, Any]:
    """That the server answers."""
    return {}


@router.post("/progress")
async def progress(request: Request, asked: ProgressFields) -> dict[str, Any]:
    """How far one task of the caller's is."""
    state = state_of(request)
    named = [task for task in state.tasks(request) if task.name]
    job = next((task.job for task in reversed(named) if task.name == asked.id_task), None)
    queued = [task.job for task in named if task.job.status == "queued"]
    facts: dict[str, Any] = {
        "active": job is not None and job not in queued,
        "queued": job in queued,
        "completed": job is None and state.ended(request, asked.id_task),
        "progress": None,
        "eta": None,
        "live_preview": None,
        "id_live_preview": -1,
        "textinfo": "Waiting...",
    }
    if job is None:
        return facts
    if job in queued:
        return facts | {"textinfo": f"In queue: {queued.index(job) + 1}/{len(queued)}"}
    share, eta = share_of([job])
    facts |= {"progress": share, "eta": eta, "textinfo": None}
    preview = newest_preview([job]) if asked.live_preview else None
    if preview is not None and preview.id != asked.id_live_preview:
        facts["live_preview"] = preview.facts["image"]
    return facts | {"id_live_preview": asked.id_live_preview if preview is None else preview.id}


@router.get("/pending-tasks")
async def pending_tasks(request: Request) -> dict[str, Any]:
    """Names of the caller's tasks that wait."""
    tasks = state_of(request).tasks(request)
    names = [task.name for task in tasks if task.name and task.job.status == "queued"]
    return {"size": len(names), "tasks": names}


def share_of(jobs: Sequence[Job]) -> tuple[float, float]:
    """Share of jobs that is done, 0 … 1, and the seconds that the rest will take."""
    results = [each for job in jobs for each in job.results]
    if not results:
        return 0.0, 0.0
    total = sum(each["total"] or 1 for each in results)
    share = max(sum(each["done"] for each in results) / total, LEAST)
    return share, (time() - jobs[0].created) / share * (1.0 - share)


def newest_preview(jobs: Sequence[Job]) -> Entry | None:
    """The latest estimate of the last job that has one."""
    found = [each for job in jobs for each in sorted(job.previews.values(), key=_age)]
    return found[-1] if found else None


def _age(preview: Entry) -> int:
    return preview.id
