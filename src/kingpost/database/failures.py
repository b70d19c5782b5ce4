"""From a failure of the database to the problem that the client is told."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from kingpost.database import drivers
from kingpost.database.constraints import ConstraintFields, ConstraintMap
from kingpost.problems import (
    Busy,
    Conflict,
    FieldError,
    Invalid,
    InvalidReference,
    Problem,
    Unavailable,
)

RERUN = frozenset({"40001", "40P01"})
LOST = "08006"

_BUSY = {
    "40001": "other changes got in the way",
    "40P01": "other changes got in the way",
    "55P03": "what is to be changed is locked",
    "57014": "the database took too long",
    "53300": "the database has no free connection",
}
_UNAVAILABLE = {
    "25006": "the database is read-only at the moment",
    "25P03": "the transaction was idle for too long",
    "25P04": "the transaction took too long",
    "53100": "the database is out of space",
    "53200": "the database is out of memory",
    "53400": "the database has reached a limit",
    "58030": "the database cannot use its storage",
}
_INVALID = {
    "22001": "a text is too long",
    "22003": "a number is out of range",
    "22007": "a date or time is not valid",
    "22008": "a date or time is out of range",
    "22021": "a text has characters that cannot be stored",
    "22P05": "a text has characters that cannot be stored",
    "54000": "a value is too large",
}


class ConnectionLost(Exception):
    """The connection was found dead before COMMIT was sent: the transaction is rolled back."""


class StatementLost(Exception):
    """A direct connection broke while it waited for an answer: nobody knows what was done."""


class StalePlan(Exception):
    """A prepared statement no longer fits the schema: nothing was done."""


_LOST = (ConnectionLost, StatementLost, StalePlan)


def rerun_reason(error: BaseException) -> str | None:
    """Why a transaction that failed before its COMMIT can simply be run again.

    Args:
        error: what it failed with.

    Returns:
        The SQLSTATE of a serialization failure, deadlock, stale plan or lost connection;
        None if another run would not help.
    """
    state = drivers.sqlstate(error)
    return state if state in RERUN else lost_reason(error)


def lost_reason(error: BaseException) -> str | None:
    """Why a read that failed can be run again: a lost connection or a stale plan.

    Args:
        error: what it failed with.

    Returns:
        Its SQLSTATE, or None.
    """
    if isinstance(error, _LOST):
        return drivers.sqlstate(error) or LOST
    if _is_disconnect(error):
        return drivers.sqlstate(error) or LOST
    return None


def _is_disconnect(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


@contextmanager
def translated(constraints: ConstraintMap) -> Iterator[None]:
    """Lets failures of the database out as problems, with the original as their cause.

    What is a bug of the service (42…, misuse, anything unknown) passes unchanged.

    Args:
        constraints: names of constraints to fields.

    Raises:
        Problem: for every failure that the table of this module knows.
    """
    try:
        yield
    except Problem:
        raise
    except Exception as error:
        problem = translate(error, constraints)
        if problem is None:
            raise
        raise problem from error


def translate(error: Exception, constraints: ConstraintMap) -> Problem | None:
    """The problem that a failure is told as.

    Args:
        error: of SQLAlchemy, or of a driver that was used directly.
        constraints: names of constraints to fields.

    Returns:
        None for what is a bug.
    """
    if isinstance(error, PoolTimeout):
        return Busy("all database connections are in use")
    if isinstance(error, StaleDataError):
        return Conflict("it was changed or deleted by somebody else at the same time")
    if isinstance(error, _LOST):
        return Unavailable("the connection to the database was lost")
    if not isinstance(error, DBAPIError) and not drivers.is_of_a_driver(error):
        return None
    state = drivers.sqlstate(error) or ""
    return _refused(state, error, constraints) or _passing(state, error)


def _passing(state: str, error: Exception) -> Problem | None:
    if state in _BUSY:
        return Busy(_BUSY[state])
    if state in _UNAVAILABLE:
        return Unavailable(_UNAVAILABLE[state])
    if state[:2] == "08" or state[:3] == "57P" or _is_disconnect(error):
        return Unavailable("the connection to the database was lost")
    return None


def _refused(state: str, error: Exception, constraints: ConstraintMap) -> Problem | None:
    if state[:2] == "23":
        constraint = constraints.find(drivers.constraint_name(error))
        return _violation(state, error, constraint)
    if state[:2] == "22" or state == "54000":
        return Invalid(_INVALID.get(state, "a value is not valid"))
    return None


def _violation(state: str, error: Exception, constraint: ConstraintFields | None) -> Problem:
    fields = constraint.fields if constraint else ()
    if state == "23505":
        return _naming(Conflict, fields, "taken", "already taken")
    if state == "23P01":
        return _naming(Conflict, fields, "conflict", "in conflict with what is there")
    if state == "23001" or (state == "23503" and _is_still_referenced(error, constraint)):
        return Conflict(f"it is still used by {constraint.table if constraint else 'something'}")
    if state == "23503":
        return _naming(InvalidReference, fields, "unknown_reference", "not known")
    if state == "23502":
        column = drivers.column_name(error)
        return _naming(Invalid, (column,) if column else (), "missing", "required")
    return _naming(Invalid, fields, "not_allowed", "not allowed")


def _naming(problem: type[Problem], fields: tuple[str, ...], code: str, state: str) -> Problem:
    errors = [FieldError(f"/body/{field}", code, f"{field} is {state}") for field in fields]
    verb = "are" if len(fields) > 1 else "is"
    return problem(f"{' and '.join(fields) or 'a value'} {verb} {state}", errors=errors)


def _is_still_referenced(error: Exception, constraint: ConstraintFields | None) -> bool:
    """Tells the two sides of 23503 apart; the server gives them the same code and names.

    The statement says it, unless the check was deferred or the statement is an UPDATE: then the
    columns that the DETAIL begins with do. They are names, so no language matters.
    """
    verb = (getattr(error, "statement", None) or "").lstrip()[:6].upper()
    if verb in {"DELETE", "INSERT"} or constraint is None:
        return verb == "DELETE"
    named = (drivers.detail(error) or "").partition("(")[2].partition(")")[0]
    columns = tuple(name.strip(' "') for name in named.split(","))
    return columns == constraint.referred != constraint.fields
