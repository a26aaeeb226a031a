"""The application: routes, middleware, the life of its parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from partway import __version__
from partway.interfaces.http import (
    about,
    described_errors,
    docs_page,
    errors,
    health,
    native,
    openai_images,
    sdapi,
    sdapi_extras,
    sdapi_lists,
    sdapi_progress,
)
from partway.interfaces.http.idempotency import Idempotency
from partway.interfaces.http.limits import MAX_BODY, Limits
from partway.interfaces.http.sdapi_state import State
from partway.interfaces.http.security import Access, Guard

if TYPE_CHECKING:
    from partway.interfaces.http.service import Service

PAGE = Path(__file__).parent.parent / "page"
ROUTERS = (
    native.router,
    about.router,
    openai_images.router,
    sdapi.router,
    sdapi_extras.router,
    sdapi_lists.router,
    sdapi_progress.router,
    health.router,
)


def create_app(
    service: Service, access: Access | None = None, *, max_body: int = MAX_BODY
) -> FastAPI:
    """The server as an ASGI application.

    service   what its routes use; it is closed by whoever made it
    access    who may ask; by default anyone on this machine
    max_body  bytes of a request's body
    """
    page_files = page_paths()
    access = access or Access()
    access = replace(access, open=access.open | page_files)
    app = FastAPI(
        title="Partway",
        version=__version__,
        description="Image-to-image diffusion with one honest dial: denoising strength.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.sdapi = State()
    answers: Counter[tuple[str, int]] = Counter()
    app.state.answers = answers
    errors.install(app)
    described_errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    _add_docs(app)
    if page_files:
        files = StaticFiles(directory=PAGE, html=True)
        # one by one: below one root they would answer for every path that is no route
        app.router.routes += [Route(path, files, methods=["GET"]) for path in sorted(page_files)]
    else:
        app.add_api_route("/", _to_docs, include_in_schema=False)
    app.add_middleware(Idempotency)
    app.add_middleware(Limits, answers=answers, max_body=max_body)
    app.add_middleware(Guard, access=access)
    return app


def page_paths() -> frozenset[str]:
    """Paths of the page's own files; empty where there is no page."""
    if not (PAGE / "index.html").is_file():
        return frozenset()
    files = [path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*") if path.is_file()]
    served = [name for name in files if not name.endswith((".py", ".pyc"))]
    return frozenset({"/", *(f"/{name}" for name in served)})


async def _to_docs() -> Response:
    """Where there is no page, the description of the API."""
    return RedirectResponse("/docs")


def _add_docs(app: FastAPI) -> None:
    """/docs and its style sheet, made from the schema."""

    async def docs(request: Request) -> Response:
        return HTMLResponse(docs_page.page(request.app.openapi()))

    async def style() -> Response:
        return Response(docs_page.CSS, media_type="text/css")

    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_api_route(docs_page.STYLE, style, include_in_schema=False)
