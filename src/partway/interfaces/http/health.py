"""Is it alive, is it ready, what has it done."""

from __future__ import annotations

from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from partway import __version__
from partway.interfaces.http.service import service_of

if TYPE_CHECKING:
    from partway.executors import Status

router = APIRouter()
STARTED = monotonic()


@router.get("/health/live")
async def live() -> dict[str, Any]:
    """The server answers. The one route that needs no key."""
    return {"status": "live"}


@router.get("/health/ready")
async def ready(request: Request) -> Response:
    """A worker is up and requests are accepted; 503 otherwise."""
    status = service_of(request).executor.status()
    facts = {
        "status": "ready" if status.ready else "not ready",
        "queued": status.queued,
        "running": status.running,
        "version": __version__,
    }
    return JSONResponse(facts, 200 if status.ready else 503)


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters and gauges as Prometheus reads them."""
    service = service_of(request)
    text = exposition(service.executor.status(), request.app.state.answers, len(service.jobs))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def exposition(status: Status, answers: Counter[tuple[str, int]], jobs: int) -> str:
    """Prometheus' text format.

    answers  HTTP answers by method and status code
    jobs     remembered
    """
    numbers = (
        ("partway_ready", "gauge", "whether a worker is up", int(status.ready)),
        ("partway_queue_depth", "gauge", "jobs that wait", status.queued),
        ("partway_running", "gauge", "requests that run", status.running),
        ("partway_jobs_kept", "gauge", "jobs that are remembered", jobs),
        ("partway_jobs_finished_total", "counter", "jobs that ended", status.finished),
        ("partway_evaluations_total", "counter", "answers of the network", status.evaluations),
        ("partway_network_calls_total", "counter", "calls they shared", status.calls),
        ("partway_worker_restarts_total", "counter", "workers replaced", status.restarts),
        ("partway_uptime_seconds", "gauge", "since the start", round(monotonic() - STARTED, 1)),
    )
    lines: list[str] = []
    for name, kind, about, value in numbers:
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}", f"{name} {value}"]
    name = "partway_http_answers_total"
    lines += [f"# HELP {name} answers by method and status", f"# TYPE {name} counter"]
    lines += [
        f'{name}{{method="{method}",status="{code}"}} {count}'
        for (method, code), count in sorted(answers.items())
    ]
    return "\n".join(lines) + "\n"
