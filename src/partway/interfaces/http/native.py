"""The native API: edits and sweeps become jobs; jobs can be asked, watched and cancelled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from partway.edits.sweep import MAX_CELLS, parse_strengths, sweep_requests
from partway.errors import InvalidRequest, PartwayError
from partway.fields import number
from partway.interfaces.http.edit_fields import (
    EditFields,
    EditJSON,
    SweepFields,
    SweepJSON,
    keep_asked,
    margins_asked,
    parse_fields,
    to_request,
)
from partway.interfaces.http.errors import NotFound, answer
from partway.interfaces.http.results import FORMATS, check_format, reencode
from partway.interfaces.http.service import Service, service_of
from partway.interfaces.http.uploads import pictures_of, read_body

if TYPE_CHECKING:
    from partway.interfaces.http.jobs import Entry, Job

router = APIRouter(prefix="/v1")

EVENT_STREAM = "text/event-stream"
MAX_DIGITS = 18  # of an event's id
FINISHED: dict[int | str, dict[str, Any]] = {200: {"description": "The finished job."}}


def body_schema(form: type[EditFields], as_json: type[EditFields]) -> dict[str, Any]:
    """What OpenAPI says of a body that is a form or JSON, and of waiting for what it asks."""
    fields = form.model_json_schema()
    file = {"type": "string", "format": "binary"}
    fields["properties"] |= dict.fromkeys(("source", "mask", "map"), file)
    fields["properties"]["references"] = {"type": "array", "items": file}
    return {
        "parameters": [
            {
                "name": "wait",
                "in": "query",
                "description": "1: the answer is the finished job.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": fields},
                "application/json": {"schema": as_json.model_json_schema()},
            },
        },
    }


@router.post(
    "/edits",
    status_code=202,
    responses=FINISHED,
    openapi_extra=body_schema(EditFields, EditJSON),
)
async def edits(request: Request) -> Response:
    """Edit a picture; without a source, make one from the prompt.

    Answers at once with a job (202). With ?wait=1 or `Prefer: wait` the answer is the finished job,
    and a client that leaves cancels it.
    """
    return await _start(request, EditFields)


@router.post(
    "/sweeps",
    status_code=202,
    responses=FINISHED,
    openapi_extra=body_schema(SweepFields, SweepJSON),
)
async def sweeps(request: Request) -> Response:
    """Edit a picture at several strengths in one batched run: one job with many results."""
    return await _start(request, SweepFields)


async def _start(request: Request, kind: type[EditFields]) -> Response:
    """Read a body, submit it, answer with the job."""
    service = service_of(request)
    body = await read_body(request)
    pictures = pictures_of(body)
    fields = parse_fields(kind, body)
    styled = bool(fields.style or pictures.references)
    model = service.models.resolve(fields.model, styled=styled)
    extend = await service.in_thread(margins_asked, fields, pictures.source)
    asked = to_request(fields, pictures, model, extend)
    requests = [asked]
    if isinstance(fields, SweepFields):
        if fields.keep is not None:
            raise InvalidRequest("a sweep goes over strengths: leave keep out")
        requests = sweep_requests(asked, _strengths(fields.strengths))
    job = await service.submit(
        requests,
        mode=fields.mode,
        preview_every=fields.preview_every,
        format_name=fields.format,
        metadata=fields.metadata,
        keep_gps=fields.keep_gps,
        word=None if isinstance(fields, SweepFields) else fields.word,
        keep=keep_asked(fields),
    )
    if not _waits(request):
        facts = {
            "id": job.id,
            "status": job.status,
            "position": job.position,
            "url": job.url,
            "events": f"{job.url}/events",
        }
        return JSONResponse(facts, 202, {"Location": job.url})
    return await _finished(service, job, request)


async def _finished(service: Service, job: Job, request: Request) -> Response:
    """The finished job; where all of it failed, its first error with the job beside it."""
    try:
        await service.wait(job, request)
    except PartwayError as error:
        failed = answer(error)
        content = json.loads(bytes(failed.body)) | {"job": job.facts()}
        headers = {"Retry-After": value} if (value := failed.headers.get("retry-after")) else {}
        return JSONResponse(content, failed.status_code, headers)
    return JSONResponse(job.facts(), 200, {"Location": job.url})


def _waits(request: Request) -> bool:
    """Whether the client wants the finished job."""
    asked = request.query_params.get("wait", "").lower()
    prefer = request.headers.get("prefer", "").lower()
    return asked in {"1", "true", "yes"} or prefer.split(",")[0].strip().startswith("wait")


def _strengths(given: str | list[float]) -> list[float]:
    """The strengths of a sweep."""
    if isinstance(given, str):
        return parse_strengths(given)
    if not 1 <= len(given) <= MAX_CELLS:
        raise InvalidRequest(f"{len(given)} strengths, allowed are 1 … {MAX_CELLS}")
    return [number("strengths", each) for each in given]


@router.get("/jobs/{name}")
async def job_facts(request: Request, name: str) -> dict[str, Any]:
    """A job and its results so far."""
    return service_of(request).jobs.get(name).facts()


@router.delete("/jobs/{name}")
async def cancel(request: Request, name: str) -> dict[str, Any]:
    """Cancel a job, and no other, within one evaluation. A finished job stays as it is."""
    service = service_of(request)
    job = service.jobs.get(name)
    service.cancel(job)
    return job.facts()


@router.get("/jobs/{name}/events", response_class=StreamingResponse)
async def events(request: Request, name: str) -> StreamingResponse:
    """What happens to a job, as server-sent events, from its beginning or from Last-Event-ID on.

    queued, started, step, preview, done, failed, cancelled, and a final `end`.
    """
    job = service_of(request).jobs.get(name)
    last = request.headers.get("last-event-id", "0")
    if not (last.isdecimal() and len(last) <= MAX_DIGITS):
        raise InvalidRequest(f"Last-Event-ID is {last[:40]!r}, want a number")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(job, int(last)), media_type=EVENT_STREAM, headers=headers)


async def _stream(job: Job, after: int) -> AsyncIterator[str]:
    """Entries as lines of an event stream; a comment now and then keeps the connection."""
    async for entry in job.watch(after):
        yield ": still here\n\n" if entry is None else event_lines(entry)


def event_lines(entry: Entry) -> str:
    """One server-sent event."""
    facts = json.dumps(entry.facts, ensure_ascii=False)
    return f"id: {entry.id}\nevent: {entry.event}\ndata: {facts}\n\n"


@router.get("/jobs/{name}/images/{index}", response_class=Response)
async def image(request: Request, name: str, index: int, format: str | None = None) -> Response:  # noqa: A002
    """The file of a finished result; ?format= has it made again as png, jpeg, webp or avif."""
    service = service_of(request)
    job = service.jobs.get(name)
    if index not in job.files:
        raise NotFound(f"job {name} has no image {index} yet")
    data, kind = job.files[index], job.format
    if format is not None and check_format(format) != kind:
        kind = check_format(format)
        data = await service.in_thread(reencode, data, kind)
    file = f"partway-{name[:8]}-{index}.{kind}"
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {
        "Content-Disposition": f'inline; filename="{file}"',
        "Cache-Control": "private, max-age=3600",
        "ETag": etag,
    }
    return Response(data, media_type=FORMATS[kind][1], headers=headers)
