"""`partway serve` in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def serving(port: int = 0) -> Generator[tuple[str, subprocess.Popen[str]], None, None]:
    """Where `partway serve` listens, and its process."""
    command = [sys.executable, "-m", "partway", "serve", "--port", str(port), "--grace", "1"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    line = server.stderr.readline()
    found = re.search(r"http://\S+", line)
    # what it says later must not fill the pipe
    rest = threading.Thread(target=server.stderr.read, daemon=True)
    rest.start()
    try:
        assert found, line
        yield found.group(), server
    finally:
        server.terminate()
        server.wait(20)
        rest.join()
        server.stderr.close()
