"""How long a connection may say nothing: the part of a slow client that no middleware sees.

uvicorn bounds the pause between two requests. A head that comes letter by letter, a connection on
which nothing is ever asked, and an answer that nobody takes would each hold a place for ever.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_SECONDS = 15.0  # from a request's first byte, or the connection, to the end of its head
TAKE_SECONDS = 30.0  # in which a client that does not keep up takes at least …
TAKE_BYTES = 65_536  # … so many bytes of an answer


class PatientProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, whose connections end where a client does not go on."""

    _head: asyncio.TimerHandle | None = None
    _take: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: it has something to ask."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request; the clock of its head runs until that is whole."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._head = _stopped(self._head)

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP: the answer to it is the last, also of a request before it."""
        if self.cycle:  # None before the first request
            self.cycle.disconnected = True  # what its route still answers goes nowhere
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """More of an answer waits than the client takes."""
        super().pause_writing()
        self._await_taking()

    def resume_writing(self) -> None:
        """It took what waited."""
        super().resume_writing()
        self._take = _stopped(self._take)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, from either side."""
        super().connection_lost(exc)
        self._head, self._take = _stopped(self._head), _stopped(self._take)

    def _await_head(self) -> None:
        if self._head is None and not self.transport.is_closing():
            self._head = self._later(HEAD_SECONDS, self.transport.abort)

    def _await_taking(self) -> None:
        """Look again whether enough was taken; a client that only dribbles is as good as gone."""
        waiting = self.transport.get_write_buffer_size()

        def look() -> None:
            if waiting - self.transport.get_write_buffer_size() < TAKE_BYTES:
                self.transport.abort()
            else:
                self._await_taking()

        self._take = self._later(TAKE_SECONDS, look)

    def _later(self, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, act)


def _stopped(timer: asyncio.TimerHandle | None) -> None:
    """A timer that will not go off."""
    if timer is not None:
        timer.cancel()
