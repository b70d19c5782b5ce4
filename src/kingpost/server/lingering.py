"""Closes a connection so that the last answer arrives, even when the client is still sending."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from kingpost.server.delivery import Delivery

# Closing while there is unread input makes the kernel send a reset, and a reset can destroy the
# answer before the client has read it (RFC 9112 section 9.6). So: say that nothing more comes,
# read on for a while, then close.
SECONDS = 2.0
BYTES = 16 * 1024 * 1024
MOST_READ = 65_536


class LingeringTransport:
    """A transport whose `close` waits for the client's rest when there may be one.

    Args:
        transport: the real one.
        still_sending: tells whether the client may be in the middle of a message.
        delivery: ends it when the client does not take the last answer either.

    Attributes:
        since: when `close` began to wait, on the clock of the event loop; None before.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        still_sending: Callable[[], bool],
        delivery: Delivery,
    ) -> None:
        self._transport = transport
        self._still_sending = still_sending
        self._delivery = delivery
        self.since: float | None = None
        self._left = BYTES
        self._timer: asyncio.TimerHandle | None = None
        self.write = transport.write

    def close(self) -> None:
        """Closes at once, or when the client has stopped sending, 2 seconds or 16 MB later."""
        if self._timer is not None:
            return
        if self._transport.is_closing() or not self._still_sending():
            self._end()
            return
        loop = asyncio.get_running_loop()
        self.since = loop.time()
        self._timer = loop.call_later(SECONDS, self._end)
        self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _end(self) -> None:
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._delivery.begin()

    @property
    def lingering(self) -> bool:
        """Nothing more will be answered; what comes in is thrown away."""
        return self._timer is not None

    def throw_away(self, count: int) -> None:
        """Takes note of bytes that arrived too late."""
        self._left -= count
        if self._left < 0:
            self._end()

    def arrived(self) -> bytes:
        """What the client has sent and the event loop has not read; nothing once it is closed."""
        if self._transport.is_closing():  # the descriptor may be another one's already
            return b""
        try:
            return os.read(self._transport.get_extra_info("socket").fileno(), MOST_READ)
        except OSError:  # nothing, or the client is gone, as the event loop will notice
            return b""

    def forget(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def is_closing(self) -> bool:
        """Whether an answer could still be sent."""
        return self._timer is not None or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
