"""What A1111's API lists: what there is, and empty lists of what there is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

from partway import __version__
from partway.interfaces.http.sdapi_extras import NONE, UPSCALERS
from partway.interfaces.http.sdapi_names import AUTOMATIC, samplers, schedules
from partway.interfaces.http.service import service_of
from partway.styles import STYLES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from partway.families import Profile

router = APIRouter(prefix="/sdapi/v1")

# Route → what it answers where there is nothing of the kind.
NOTHING: dict[str, Any] = {
    "latent-upscale-modes": [],
    "sd-vae": [],
    "sd-modules": [],
    "hypernetworks": [],
    "face-restorers": [],
    "realesrgan-models": [],
    "loras": [],
    "extensions": [],
    "script-info": [],
    "scripts": {"txt2img": [], "img2img": []},
    "embeddings": {"loaded": {}, "skipped": {}},
}


@router.get("/samplers")
async def list_samplers() -> list[dict[str, Any]]:
    """Samplers by A1111's names."""
    return [
        {"name": label, "aliases": [name, *aliases], "options": {}}
        for label, (name, aliases, _) in samplers().items()
    ]


@router.get("/schedulers")
async def list_schedulers() -> list[dict[str, Any]]:
    """Schedules by A1111's names."""
    known = {AUTOMATIC: "automatic", **schedules()}
    return [
        {
            "name": name,
            "label": label,
            "aliases": None,
            "default_rho": -1,
            "need_inner_model": False,
        }
        for label, name in known.items()
    ]


@router.get("/sd-models")
async def list_models(request: Request) -> list[dict[str, Any]]:
    """The models of this server; nothing of where their files lie."""
    profiles = service_of(request).models.profiles.values()
    return [_model(profile) for profile in profiles if profile.conditioning != "references"]


def _model(profile: Profile) -> dict[str, Any]:
    return {
        "title": profile.name,
        "model_name": profile.name,
        "hash": None,
        "sha256": None,
        "filename": profile.name,
        "config": None,
    }


@router.get("/prompt-styles")
async def list_styles() -> list[dict[str, Any]]:
    """The style pictures: a request with one takes its manner and no prompt."""
    return [{"name": name, "prompt": "", "negative_prompt": ""} for name in STYLES]


@router.get("/upscalers")
async def list_upscalers() -> list[dict[str, Any]]:
    """What the extras enlarge with."""
    nothing = {"model_name": None, "model_path": None, "model_url": None}
    return [{"name": name, **nothing, "scale": 4} for name in (NONE, *UPSCALERS)]


@router.get("/cmd-flags")
async def cmd_flags() -> dict[str, Any]:
    """Nothing of how the server was started."""
    return {"api": True, "version": __version__}


@router.post("/refresh-checkpoints")
async def refresh() -> None:
    """The list of models is fixed at the start."""


def _answering(value: Any) -> Callable[[], Awaitable[Any]]:
    async def listed() -> Any:
        return value

    return listed


for _name, _value in NOTHING.items():
    router.add_api_route(f"/{_name}", _answering(_value), methods=["GET"], name=_name)
