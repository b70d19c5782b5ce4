"""One format for all logs: ours through structlog, the libraries' through the standard library."""

import atexit
import logging
import sys
from collections.abc import MutableMapping
from json import JSONEncoder
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor

from kingpost.context import current_request
from kingpost.observability.access import AccessLog
from kingpost.observability.fingerprint import fingerprint, frames, type_name
from kingpost.observability.lines import Lines
from kingpost.observability.redaction import hide_by_name, hide_in_text

LevelName = Literal["debug", "info", "warning", "error"]

# What these say at level info is of use to nobody but their authors.
# The last one is the connection pool, which SQLAlchemy names after our class.
_WARNINGS_ONLY = (
    *("sqlalchemy", "asyncio", "watchfiles", "httpx", "httpcore"),
    "kingpost.database.engine",
)
_DEEPEST = 30

_lines = Lines()  # there is one standard output


def configure_logging(level: LevelName = "info", json: bool = True) -> None:
    """Sends every log of this process to standard output, one event a line.

    Args:
        level: the lowest level that is written.
        json: one JSON object a line; otherwise lines for people, with whole tracebacks.
    """
    lowest = logging.getLevelNamesMapping()[level.upper()]
    renderer = _json_renderer() if json else _console_renderer()
    shared = _shared_processors(json)
    processors = [*shared, *renderer]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=_Loggers(AccessLog(_lines, lowest) if json else None, processors),
        cache_logger_on_first_use=False,
    )
    _configure_standard_library(lowest, shared, renderer)
    atexit.unregister(_lines.flush)  # however often this is called
    atexit.register(_lines.flush)


def access_log() -> AccessLog | None:
    """What writes the lines about requests.

    Returns:
        None while lines are for people, or while structlog is configured by somebody else, such
        as a test that captures: then they go through structlog like all others.
    """
    configured = structlog.get_config()
    factory = configured["logger_factory"]
    if isinstance(factory, _Loggers) and configured["processors"] == factory.processors:
        return factory.access
    return None


def _shared_processors(json: bool) -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request,
        _summarise_exception if json else structlog.processors.format_exc_info,
        _hide_by_name,
    ]


def _json_renderer() -> list[Processor]:
    encode = JSONEncoder(default=repr).encode  # ASCII only, so that a line stays a line

    def render(_logger: Any, _method: str, event: EventDict) -> str:
        try:
            return encode(event)
        except (TypeError, ValueError):  # keys that are no text, a circle
            return encode({str(key): repr(value) for key, value in event.items()})

    return [_order, render, _hide_in_line]


def _console_renderer() -> list[Processor]:
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(),
        sort_keys=False,  # as they were said: method, route and status come first
        exception_formatter=structlog.dev.plain_traceback,
    )
    return [_escape_controls, console, _hide_in_line]


def _configure_standard_library(
    lowest: int, shared: list[Processor], renderer: list[Processor]
) -> None:
    handler = _LinesHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(lowest)
    for name in ("uvicorn", "uvicorn.error", "alembic", "kingpost"):
        _reset(name, logging.NOTSET)
    for name in _WARNINGS_ONLY:
        _reset(name, max(lowest, logging.WARNING))
    _reset("uvicorn.access", logging.CRITICAL)


def _reset(name: str, level: int) -> None:
    logger = logging.getLogger(name)
    logger.handlers = []
    logger.propagate = True
    logger.setLevel(level)


class _Loggers:
    """Makes the loggers of structlog, and remembers how it was configured."""

    def __init__(self, access: AccessLog | None, processors: list[Processor]) -> None:
        self.access = access
        self.processors = processors[:]

    def __call__(self, name: str = "kingpost") -> "_Logger":
        return _Logger(name)


class _Logger:
    """Where structlog's processors hand a line to."""

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        _lines.write(line)

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


class _LinesHandler(logging.Handler):
    """The same for the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - wrong arguments in a log call of some library
            self.handleError(record)
            return
        _lines.write(line)


def _add_request(_logger: Any, _method: str, event: EventDict) -> EventDict:
    context = current_request.get()
    if context is None:
        return event
    event.setdefault("request_id", context.request_id)
    if context.route is not None:
        event.setdefault("route", context.route)
    if context.actor is not None:
        event.setdefault("actor", context.actor)
    for name in ("trace_id", "span_id"):
        if name in context.notes:
            event.setdefault(name, context.notes[name])
    return event


def _summarise_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """An error for production: what and where, without the values that were in it."""
    error = _exception_of(event.pop("exc_info", None))
    if error is None:
        return event
    event.setdefault("error_type", type_name(error))
    event.setdefault("fingerprint", fingerprint(error))
    if current_request.get() is None:
        event.setdefault("error", str(error))  # no client's data can be in it
    way = frames(error.__traceback__)[-_DEEPEST:]
    event["stack"] = [f"{file}:{line} {function}" for file, line, function in way]
    return event


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and len(exc_info) == 3:  # as of sys.exc_info()
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _hide_by_name(_logger: Any, _method: str, event: EventDict) -> EventDict:
    internal = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
    return {**hide_by_name(event), **internal}


def _order(_logger: Any, _method: str, event: EventDict) -> EventDict:
    first = {key: event.pop(key, None) for key in ("timestamp", "level", "logger", "event")}
    return {**first, **event}


def _hide_in_line(_logger: Any, _method: str, line: Any) -> str:
    return hide_in_text(str(line))


def _escape_controls(_logger: Any, _method: str, event: EventDict) -> EventDict:
    escaped: MutableMapping[str, Any] = {}
    for key, value in event.items():
        keep = "\n\t" if key in {"exception", "stack"} else ""
        escaped[_printable(str(key))] = _printable(value, keep) if isinstance(value, str) else value
    return escaped


def _printable(text: str, keep: str = "") -> str:
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in keep
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
