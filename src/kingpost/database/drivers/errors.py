"""What a failure says, whichever driver it comes from and however deep it was put."""

from collections.abc import Iterator

_STALE_PLAN = ("cached plan must not change", "cached statement plan is invalid")
_NOT_SUPPORTED = "0A000"
_NUL_IN_TEXT = "22021"
_DRIVERS = frozenset({"asyncpg", "psycopg"})


def is_of_a_driver(error: BaseException) -> bool:
    """Whether a driver raised it, without SQLAlchemy in between."""
    return any(kind.__module__.partition(".")[0] in _DRIVERS for kind in type(error).__mro__)


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a failure (PostgreSQL, appendix A), however deep the driver has put it.

    Args:
        error: of SQLAlchemy or of a driver.

    Returns:
        Five characters, or None if the failure has none.
    """
    for cause in _causes(error):
        if state := getattr(cause, "sqlstate", None):
            return str(state)
        if _is_psycopg_data_error(cause):
            return _NUL_IN_TEXT
    return None


def constraint_name(error: BaseException) -> str | None:
    """The name of the violated constraint, if the server told one."""
    return _told(error, "constraint_name")


def column_name(error: BaseException) -> str | None:
    """The name of the column at fault; the server tells it for NOT NULL."""
    return _told(error, "column_name")


def detail(error: BaseException) -> str | None:
    """The server's DETAIL: it holds values and is localised, so show it to nobody."""
    return _told(error, "detail") or _told(error, "message_detail")


def is_stale_plan(error: BaseException) -> bool:
    """Whether a prepared statement no longer fits the schema (0A000, told apart by its text).

    The text alone does not say it: in both drivers it holds the DETAIL, and that holds values.
    """
    if sqlstate(error) != _NOT_SUPPORTED:
        return False
    return any(mark in str(error) for mark in _STALE_PLAN)


def is_unsent(error: BaseException) -> bool:
    """Whether a driver refused a value before it sent the statement of a direct connection.

    Psycopg says so without a code where it knows no way to send a type. Asyncpg gives what it
    cannot send the code 22000; its errors without one may come after the statement was sent.
    """
    kind = type(error)
    is_refusal = kind.__name__ == "ProgrammingError" and kind.__module__.startswith("psycopg")
    return is_refusal and sqlstate(error) is None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = getattr(error, "orig", None) or error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _told(error: BaseException, name: str) -> str | None:
    for cause in _causes(error):
        for holder in (getattr(cause, "diag", None), cause):
            if value := getattr(holder, name, None):
                return str(value)
    return None


def _is_psycopg_data_error(error: BaseException) -> bool:
    """Psycopg refuses a NUL in text by itself, without a code."""
    kind = type(error)
    return kind.__name__ == "DataError" and kind.__module__.startswith("psycopg")
