"""A connection of psycopg that does not wait long for a server that has gone silent."""

import asyncio
import socket
from contextlib import suppress
from os import dup
from typing import Any

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus


class ImpatientConnection(AsyncConnection[Any]):
    """Is over soon after what runs on it was cancelled.

    Psycopg asks the server to cancel the statement, and gives that and the last answer five
    seconds each; all that time a place in the pool is taken.

    Attributes:
        patience: the seconds that the server has for both; 0 does not ask it.
    """

    patience = 0.0  # until its session is set up there is nothing to be polite about

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - psycopg's own
        """See `psycopg.AsyncConnection.cancel_safe`, which psycopg calls when it is cancelled."""
        limit = min(timeout, self.patience)
        if limit <= 0:
            self.hang_up()
            return
        # Also where the request to cancel gets through: to the server that took over, say,
        # which knows nothing of this connection.
        asyncio.get_running_loop().call_later(limit, self.hang_up)
        await super().cancel_safe(timeout=limit)

    def hang_up(self) -> None:
        """Shuts the socket if an answer is awaited, which then fails at once.

        The descriptor stays open until psycopg closes it: the event loop may be watching it.
        """
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        with suppress(OSError), socket.socket(fileno=dup(self.pgconn.socket)) as wire:
            wire.shutdown(socket.SHUT_RDWR)
