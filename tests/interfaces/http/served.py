"""A server on a port of this machine, in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

from partway.executors.local import LocalExecutor
from partway.executors.worker import in_thread
from partway.interfaces.http.app import create_app
from partway.interfaces.http.jobs import Jobs
from partway.interfaces.http.patience import PatientProtocol
from partway.interfaces.http.running import Server, address_of, listen
from partway.interfaces.http.security import Access
from partway.interfaces.http.service import Models, Service


@contextmanager
def served(access: Access | None = None, *, seconds: float = 60, **routes: Any) -> Generator[str]:
    """Its address; the analytic family is the default model.

    seconds  a job may take
    routes   more of them, name → function
    """
    executor = LocalExecutor(in_thread)
    service = Service(executor, Models(["analytic"]), Jobs(), seconds)
    app = create_app(service, access)
    for name, route in routes.items():
        app.router.add_api_route(f"/{name}", route)
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app, http=PatientProtocol, log_level="warning", timeout_graceful_shutdown=5
    )
    server = Server(config, service)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the server never came up"
        time.sleep(0.01)
    try:
        yield address_of(listener)
    finally:
        server.should_exit = True
        thread.join(20)
        executor.close()
        service.close()
