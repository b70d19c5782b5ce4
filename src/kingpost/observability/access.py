"""The line about a request, written without the machinery of other lines: it is said of each."""

import logging
import time
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted

from kingpost.context import RequestContext
from kingpost.observability.lines import Lines
from kingpost.observability.redaction import hide_in_text


class AccessLog:
    """Says of every request what became of it, in JSON, with the fields that structlog would give.

    Args:
        lines: where to.
        lowest: the lowest level that is written, as the standard library counts them.
    """

    def __init__(self, lines: Lines, lowest: int) -> None:
        self._lines = lines
        self._lowest = lowest
        self._second = 0
        self._moment = ""

    def write(
        self, context: RequestContext, *, status: int, seconds: float, gone: bool, level: int
    ) -> None:
        """Writes the line at the end of this turn of the event loop.

        Args:
            context: of the request.
            status: of its answer.
            seconds: from the head of the request to the end of its answer.
            gone: the client left before that.
            level: of the line, `logging.INFO` or `logging.DEBUG`.
        """
        if level < self._lowest:
            return
        left = ', "disconnected": true' if gone else ""
        self._lines.collect(
            f'{{"timestamp": "{self._now()}", '
            f"{_beginning(context.method, context.route, status, level)}{seconds * 1000:.2f}, "
            f'"statements": {context.statements}, '
            f'"database_ms": {context.database_seconds * 1000:.2f}{left}{_who(context)}}}'
        )

    def _now(self) -> str:
        """The time in UTC (RFC 3339); all of it but the fraction is made once a second."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        return f"{self._moment}.{int(now * 1_000_000) % 1_000_000:06d}Z"


@lru_cache(maxsize=1024)
def _beginning(method: str, route: str | None, status: int, level: int) -> str:
    """The fields that a route has in common with itself."""
    return (
        f'"level": "{logging.getLevelName(level).lower()}", "logger": "kingpost.access", '
        f'"event": "request", "method": {_shown(method)}, '
        f'"route": {"null" if route is None else _shown(route)}, '
        f'"status": {status}, "duration_ms": '
    )


@lru_cache(maxsize=1024)
def _shown(text: str) -> str:
    """A text as JSON; ASCII only, so that a line stays a line."""
    return quoted(hide_in_text(text))


def _who(context: RequestContext) -> str:
    """The fields that every line of a request has."""
    request_id = context.request_id
    if "kp_" in request_id:  # the client has chosen it, and no other secret fits its alphabet
        request_id = hide_in_text(request_id)
    fields = f', "request_id": {quoted(request_id)}'
    if context.actor is not None:
        fields += f', "actor": {_shown(context.actor)}'
    for name in ("trace_id", "span_id") if context.notes else ():
        if name in context.notes:
            fields += f', "{name}": {quoted(str(context.notes[name]))}'
    return fields
