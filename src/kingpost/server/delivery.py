"""Ends connections whose clients do not take their answers."""

import asyncio
import contextlib
import fcntl
import struct
import termios

from kingpost.server.countdown import Countdown

LEAST_BYTES = 65_536


class Delivery:
    """Watches what was written and has not been sent, since the client does not read.

    A slow client is no dead one: who takes `LEAST_BYTES` gets the time again.

    Args:
        loop: of the connection.
        seconds: how long the client may take for that.
        transport: of the connection.
    """

    __slots__ = ("_countdown", "_transport", "_waiting")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, transport: asyncio.Transport
    ) -> None:
        self._transport = transport
        self._countdown = Countdown(loop, seconds, self._look)
        self._waiting = 0

    @property
    def since(self) -> float | None:
        """Since when it is watched, on the clock of the event loop; None if nothing waits."""
        return self._countdown.since

    def begin(self) -> None:
        """Something waits to be sent."""
        if self._countdown.since is None:
            self._waiting = self._not_taken()
            self._countdown.start()

    def end(self) -> None:
        """Little is left of it; at the end of a connection that little has to be sent too."""
        if not self._transport.is_closing():
            self._countdown.stop()

    def forget(self) -> None:
        """The connection is gone."""
        self._countdown.stop()

    def _look(self) -> None:
        if not self._transport.get_write_buffer_size():
            return
        if self._waiting - self._not_taken() >= LEAST_BYTES:
            self.begin()
        else:
            self._transport.abort()

    def _not_taken(self) -> int:
        """In bytes, with those that the kernel has: it takes more only by the megabyte."""
        waiting = self._transport.get_write_buffer_size()
        socket = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # there are systems that cannot tell
            queued = fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
            waiting += struct.unpack("i", queued)[0]
        return waiting
