"""AUTOMATIC1111's HTTP API, /sdapi/v1: pictures, progress, interrupt.

`denoising_strength` and `steps` mean what they mean there (sdapi_names.start_of). What has no
effect here is told in the answer's `info`, under `warnings`. Interrupt and progress are about the
caller's own pictures: there, anyone stops anyone.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

from partway import __version__, images
from partway.errors import InvalidRequest
from partway.interfaces.http.sdapi_infotext import filled
from partway.interfaces.http.sdapi_masks import mask_facts
from partway.interfaces.http.sdapi_progress import newest_preview, share_of
from partway.interfaces.http.sdapi_request import (
    FORMAT,
    MODEL,
    Asked,
    Fields,
    ImageFields,
    TextFields,
    model_name,
    read_fields,
    read_request,
)
from partway.interfaces.http.sdapi_state import State, state_of
from partway.interfaces.http.service import service_of
from partway.interfaces.http.uploads import decode_picture, parse_json
from partway.metadata.infotext import parts
from partway.metadata.reading import read_texts

if TYPE_CHECKING:
    from partway.interfaces.http.jobs import Job

router = APIRouter(prefix="/sdapi/v1")

PREVIEW_EVERY = 5  # evaluations


def body_of(kind: type[Fields]) -> dict[str, Any]:
    """What OpenAPI says of a body."""
    schema = kind.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post("/img2img", openapi_extra=body_of(ImageFields))
async def img2img(request: Request) -> dict[str, Any]:
    """Edit pictures. Where width and height are left out each keeps its source's size."""
    return await _make(request, ImageFields)


@router.post("/txt2img", openapi_extra=body_of(TextFields))
async def txt2img(request: Request) -> dict[str, Any]:
    """Make pictures from the prompt alone."""
    return await _make(request, TextFields)


async def _make(request: Request, kind: type[Fields]) -> dict[str, Any]:
    """Read a body, wait for its pictures, answer with them."""
    service, state = service_of(request), state_of(request)
    body = parse_json(await request.body())
    whole, notes = filled(body, service.models.profiles, edits=kind is ImageFields)
    fields = read_fields(kind, whole)
    asked = await service.in_thread(read_request, fields, service, state.model)
    asked.warnings[:0] = notes
    job = await service.submit(
        asked.requests, mode=asked.mode, preview_every=PREVIEW_EVERY, format_name=asked.format
    )
    state.remember(request, job, fields.force_task_id)
    await service.wait(job, request)
    done = [i for i, each in enumerate(job.results) if each["status"] == "done"]
    files = [base64.b64encode(job.files[i]).decode() for i in done]
    hidden: dict[str, Any] = {}
    if not getattr(fields, "include_init_images", False):
        hidden = {name: None for name in ("init_images", "mask") if name in body}
    return {
        "images": files if fields.send_images else [],
        "parameters": fields.model_dump() | body | hidden,
        "info": json.dumps(info_of(asked, job, done), ensure_ascii=False),
    }


def info_of(asked: Asked, job: Job, done: list[int]) -> dict[str, Any]:
    """A1111's account of pictures, with ours beside it."""
    requests = [asked.requests[i] for i in done]
    results = [job.results[i] for i in done]
    first, fields = requests[0], asked.fields
    plan = results[0]["plan"]
    warnings = list(asked.warnings)
    for each in results:
        warnings += [note for note in (*each["warnings"], *each["hints"]) if note not in warnings]
    warnings += [f"picture {index + 1} failed: {error}" for index, error in job.errors.items()]
    return {
        "prompt": first.prompt,
        "all_prompts": [each.prompt for each in requests],
        "negative_prompt": first.negative_prompt,
        "all_negative_prompts": [each.negative_prompt for each in requests],
        "seed": first.seed,
        "all_seeds": [each.seed for each in requests],
        "subseed": first.seed,
        "all_subseeds": [each.seed for each in requests],
        "subseed_strength": 0,
        "width": results[0]["width"],
        "height": results[0]["height"],
        "sampler_name": fields.sampler_name or fields.sampler_index or "Euler",
        "cfg_scale": first.guidance_scale,
        "steps": fields.steps,
        "batch_size": fields.batch_size,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": results[0]["model"],
        "sd_model_hash": None,
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": getattr(fields, "denoising_strength", None),
        "extra_generation_params": (mask_facts(fields) if isinstance(fields, ImageFields) else {})
        | {
            "Partway evaluations": results[0]["evaluations"],
            "Partway noise fraction": round(plan["noise_fraction"], 4),
            "Partway mode": results[0]["mode"],
        },
        "index_of_first_image": 0,
        "infotexts": [infotext(asked, i, each) for i, each in zip(done, results, strict=True)],
        "styles": fields.styles,
        "job_timestamp": str(int(job.created)),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": f"Partway {__version__}",
        "plans": [each["plan"] for each in results],
        "kept": [each["kept"] for each in results],
        "warnings": warnings,
    }


def infotext(asked: Asked, index: int, result: dict[str, Any]) -> str:
    """The "parameters" of one picture: A1111's layout, no comma or colon in a value."""
    request, fields = asked.requests[index], asked.fields
    facts = {
        "Steps": fields.steps,
        "Sampler": fields.sampler_name or fields.sampler_index or "Euler",
        "Schedule type": fields.scheduler or "Automatic",
        "CFG scale": 1 if request.guidance_scale is None else request.guidance_scale,
        "Seed": request.seed,
        "Size": f"{result['width']}x{result['height']}",
        "Model": result["model"] or "none",
    }
    if isinstance(fields, ImageFields):
        facts["Denoising strength"] = fields.denoising_strength
        facts |= mask_facts(fields)
    facts |= {
        "Partway noise fraction": round(result["plan"]["noise_fraction"], 4),
        "Version": f"Partway {__version__}",
    }
    negative = f"Negative prompt: {request.negative_prompt}\n" if request.negative_prompt else ""
    line = ", ".join(f"{name}: {value}" for name, value in facts.items())
    return f"{request.prompt}\n{negative}{line}".strip()


@router.get("/progress")
async def progress(request: Request, skip_current_image: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
    """How far the caller's pictures are; 0 where none are made."""
    jobs = state_of(request).jobs(request)
    results = [each for job in jobs for each in job.results]
    image = None
    if not skip_current_image:
        preview = newest_preview(jobs)
        image = None if preview is None else preview.facts["image"].partition(",")[2]
    share, eta = share_of(jobs)
    running = next((each for each in results if each["status"] == "running"), None)
    return {
        "progress": share,
        "eta_relative": eta,
        "state": {
            "skipped": False,
            "interrupted": False,
            "stopping_generation": False,
            "job": jobs[0].id if jobs else "",
            "job_count": len(results),
            "job_timestamp": str(int(jobs[0].created)) if jobs else "0",
            "job_no": sum(each["status"] == "done" for each in results),
            "sampling_step": running["done"] if running else 0,
            "sampling_steps": running["total"] if running else 0,
        },
        "current_image": image,
        "textinfo": _waiting(jobs),
    }


def _waiting(jobs: list[Job]) -> str | None:
    """What there is to say of those that wait."""
    places = [job.position for job in jobs if job.status == "queued" and job.position is not None]
    return f"waiting, {min(places)} jobs before this one" if places else None


@router.post("/interrupt")
async def interrupt(request: Request) -> dict[str, Any]:
    """Stop the caller's pictures, and nobody else's; their requests are answered 409."""
    _stop(request)
    return {}


@router.post("/skip")
async def skip(request: Request) -> None:
    """The same."""
    _stop(request)


def _stop(request: Request) -> None:
    service = service_of(request)
    for job in state_of(request).jobs(request):
        service.cancel(job)


@router.get("/options")
async def options(request: Request) -> dict[str, Any]:
    """The few settings that are answered for."""
    return _options(state_of(request), service_of(request).models.default)


def _options(state: State, default: str) -> dict[str, Any]:
    return {
        MODEL: state.model or default,
        FORMAT: "png",
        "CLIP_stop_at_last_layers": 1,
        "sd_checkpoint_hash": "",
        "sd_vae": "None",
        "img2img_fix_steps": False,
        "return_grid": False,
        "api_enable_requests": False,
    }


@router.post("/options")
async def set_options(request: Request) -> dict[str, Any] | None:
    """Choose the model of requests that name none; null, or what was passed over.

    A client may send back all it was given.
    """
    service, state = service_of(request), state_of(request)
    asked = parse_json(await request.body())
    current = _options(state, service.models.default)
    if MODEL in asked:
        name = asked.pop(MODEL)
        if not isinstance(name, str):
            raise InvalidRequest(f"{MODEL} is {name!r}, want a name from sd-models")
        service.models.resolve(model_name(name))
        state.model = model_name(name)
    ignored = sorted(key for key, value in asked.items() if current.get(key, ...) != value)
    return {"ignored": ignored} if ignored else None


@router.post("/png-info")
async def png_info(request: Request) -> dict[str, Any]:
    """The generation parameters that a picture carries."""
    body = parse_json(await request.body())
    data = decode_picture("image", body.get("image"))
    return await service_of(request).in_thread(read_info, data)


def read_info(data: bytes) -> dict[str, Any]:
    """A1111's answer to png-info."""
    images.load(data)  # what is no picture is refused here
    items = read_texts(data)
    info = items.get("parameters", "")
    prompt, negative, pairs = parts(info)
    named = {"Prompt": prompt, "Negative prompt": negative} | pairs
    return {"info": info, "items": items, "parameters": named if pairs else {}}
