"""The check of a database URL, at start, with the right spelling of this very URL."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVERS = ("asyncpg", "psycopg")
_POSTGRESQL = frozenset({"postgresql", "postgres", "psql", "pg", "postgis"})
_SHAPE = "postgresql+asyncpg://user:password@host:5432/database"


class UrlError(ValueError):
    """The database URL cannot be used; the message has the right spelling and no password."""


def check_url(url: str) -> str:
    """Accepts a URL that names PostgreSQL, an asynchronous driver and a database.

    Args:
        url: such as `postgresql+asyncpg://user:password@host:5432/database`.

    Returns:
        The URL as it was given.

    Raises:
        UrlError: for anything else; the password is never in the message.
    """
    parsed = _parse(url)
    backend, _, driver = parsed.drivername.partition("+")
    if backend not in _POSTGRESQL:
        raise UrlError(f"Kingpost needs PostgreSQL, not {backend!r}; write {_SHAPE}")
    if backend != "postgresql" or driver not in DRIVERS:
        raise UrlError(_driver_message(parsed, driver))
    if not parsed.database:
        raise UrlError(f"the database URL names no database; write {_SHAPE}")
    if driver == "asyncpg" and "sslmode" in parsed.query:
        raise UrlError("asyncpg calls this option ssl: write ?ssl=… instead of ?sslmode=…")
    return url


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # without its cause: the text of that error may quote the URL, password and all
        raise UrlError(f"this is not a database URL; write {_SHAPE}") from None


def _driver_message(url: URL, driver: str) -> str:
    wrong = f"the driver {driver} is synchronous or unknown" if driver else "no driver is named"
    right = " or ".join(_spelled(url, name) for name in DRIVERS)
    return f"{wrong} in the database URL; write {right}"


def _spelled(url: URL, driver: str) -> str:
    shown = url.set(drivername=f"postgresql+{driver}").difference_update_query(
        [name for name in url.query if "pass" in name]
    )
    return shown.render_as_string(hide_password=True)
