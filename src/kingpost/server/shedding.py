"""Refuses what is too much at once, so that what was begun is done in time."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import structlog
from starlette.types import Scope

from kingpost.middleware.answers import RawHeaders
from kingpost.middleware.identity import request_id_from, single
from kingpost.problems import Busy
from kingpost.server.head import Headers
from kingpost.server.operations import PATHS
from kingpost.server.refusal import CLOSE, refusal_bytes
from kingpost.server.state import State

if TYPE_CHECKING:
    from kingpost.server.protocol import GuardedProtocol

# Clients that are refused together should not come back together.
RETRY_SECONDS = (1, 2, 3)
# So many refusals a second cost about 5 % of a core. What comes beyond waits unread.
PER_SECOND = 2000
BURST_SECONDS = 0.05
# The shortest Retry-After: who waits as long as told does not notice.
UNREAD_SECONDS = 1.0
TICK_SECONDS = 0.02
_TELL_SECONDS = 1.0
_ID = "~"  # is in no request id and nowhere else in the answer

T = TypeVar("T")


class Refused:
    """Stands for a request that was answered when its head was there, in the place of a `Cycle`.

    Attributes:
        response_complete: what else comes of the request is dropped.
        message_event: set by uvicorn when the connection ends; nobody waits for it.
    """

    response_complete = True

    def __init__(self) -> None:
        self.message_event = asyncio.Event()


_log = structlog.get_logger("kingpost.shedding")


class Shedding:
    """Counts the requests that a process works on, and says which one is too many.

    Lists are refused from seven eighths of the limit on, everything else at the limit, health
    never. A refusal is prepared bytes; the application is not asked. While there are too many
    refusals even for that, a connection that had one is not read for a moment.

    Args:
        most: the limit.
        state: of the service; tells what is a list, and has the metrics.

    Attributes:
        working: requests being worked on; one that waits for its client is not among them.
        refused: in the place of the request that a connection serves.
        lists_from: where lists begin to be refused.
    """

    __slots__ = (
        *("_defaults", "_held", "_next", "_shed", "_state", "_templates"),
        *("_ticking", "_turn", "lists_from", "most", "refused", "working"),
    )

    def __init__(self, most: int, state: State) -> None:
        self.working = 0
        self.refused = Refused()
        self.most = most
        self.lists_from = max(1, most * 7 // 8)
        self._state = state
        self._shed = 0  # since the last line of the log
        self._turn = 0
        self._templates: dict[tuple[int, int, bool, bool], bytes] = {}
        self._defaults: RawHeaders = []
        self._held: deque[tuple[float, GuardedProtocol]] = deque()
        self._next = 0.0
        self._ticking = False

    async def away(self, client: Awaitable[T]) -> T:
        """Does not count a request while it waits for its client.

        Args:
            client: what is waited for.

        Returns:
            What came.
        """
        self.working -= 1
        try:
            return await client
        finally:
            self.working += 1

    def refuses(self, scope: Scope) -> bool:
        """Whether a request is too many; if so, it is counted and told as shed.

        It need not be asked below `lists_from`.

        Args:
            scope: of the request.
        """
        if scope["path"] in PATHS:
            return False
        is_full = self.working >= self.most
        if not is_full and not self._state.is_list(scope):
            return False
        self._note("any" if is_full else "list", scope["method"])
        return True

    def refuse_at_once(self, connection: "GuardedProtocol", method: str, keep_alive: bool) -> None:
        """Refuses a request whose head was read, before there is a scope or a task for it.

        So it costs little more than to parse it. What else comes of it is dropped.

        Args:
            connection: whose turn it is.
            method: of the request.
            keep_alive: whether the connection may serve another one.
        """
        self._note("any", method)
        connection.cycle = cast(Any, self.refused)
        self.refuse(connection, method, connection.headers, keep_alive)
        connection.on_response_complete()

    def refuse(
        self, connection: "GuardedProtocol", method: str, headers: Headers, keep_alive: bool
    ) -> None:
        """Answers a request in place of the application.

        Args:
            connection: whose turn it is.
            method: of the request.
            headers: of it, names in lower case.
            keep_alive: whether the connection may serve another one.
        """
        transport = connection.transport
        if connection.flow.write_paused:  # asks on and does not read the answers
            transport.close()
            return
        defaults = connection.server_state.default_headers
        closes = not keep_alive or CLOSE in defaults
        request_id = request_id_from(single(headers, b"x-request-id"))
        transport.write(self.answer(request_id, defaults, head=method == "HEAD", closes=closes))
        if closes:
            transport.close()

    def _note(self, kind: str, method: str) -> None:
        metrics = self._state.metrics
        metrics.count_shed(kind)
        metrics.observe_request(method, None, Busy.status, 0.0)
        if not self._shed:
            asyncio.get_running_loop().call_later(_TELL_SECONDS, self._tell)
        self._shed += 1

    def _tell(self) -> None:
        _log.warning("requests shed", count=self._shed, working=self.working, limit=self.most)
        self._shed = 0

    def answer(
        self, request_id: str, default_headers: RawHeaders, *, head: bool, closes: bool
    ) -> bytes:
        """The refusal as it goes over the wire.

        Args:
            request_id: of the request.
            default_headers: of the server; renewed once a second.
            head: the request was a HEAD.
            closes: it is the last answer of its connection.

        Returns:
            Status line, headers and content.
        """
        if default_headers is not self._defaults:
            self._defaults = default_headers
            self._templates.clear()
        self._turn = (self._turn + 1) % len(RETRY_SECONDS)
        length = len(request_id)
        template = self._templates.get((length, self._turn, head, closes))
        if template is None:
            problem = Busy("Too many requests at once.", retry_after=RETRY_SECONDS[self._turn])
            template = refusal_bytes(
                problem, _ID * length, default_headers, head=head, closes=closes
            )
            self._templates[length, self._turn, head, closes] = template
        return template.replace((_ID * length).encode(), request_id.encode("ascii"))

    def hold(self, connection: "GuardedProtocol") -> None:
        """Leaves a connection unread for a moment after a refusal, if there are too many of them.

        What its client sends meanwhile costs next to nothing. It is read again when its time has
        come, or sooner when there is room.

        Args:
            connection: that had the refusal.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._next = min(max(self._next, now) + 1 / PER_SECOND, now + UNREAD_SECONDS)
        if self._next - now <= BURST_SECONDS:
            return
        connection.leave_unread()
        self._held.append((self._next, connection))
        if not self._ticking:
            self._ticking = True
            loop.call_later(TICK_SECONDS, self._release, loop)

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        # What has waited may not fill the process again: what comes now would be refused for it.
        now, room = loop.time(), self.most // 2 - self.working
        while self._held and (room > 0 or self._held[0][0] <= now):
            self._held.popleft()[1].read_on()
            room -= 1
        self._ticking = bool(self._held)
        if self._ticking:
            loop.call_later(TICK_SECONDS, self._release, loop)
