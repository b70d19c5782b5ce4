"""The check of a database URL, at start, with the right spelling of this very URL."""

from importlib.util import find_spec
from typing import Literal

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

Driver = Literal["asyncpg", "psycopg"]
DRIVERS: tuple[Driver, ...] = ("asyncpg", "psycopg")
_OF_PSQL = frozenset({"postgresql", "postgres"})
_POSTGRESQL = frozenset({"postgresql", "postgres", "psql", "pg", "postgis"})
_SHAPE = "postgresql+asyncpg://user:password@host:5432/database"


class UrlError(ValueError):
    """The database URL cannot be used; the message has the right spelling and no password."""


def check_url(url: str) -> str:
    """Accepts a URL that names PostgreSQL, an installed asynchronous driver and a database.

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
    if driver not in installed_drivers():
        raise UrlError(f"the driver {driver} is not installed: pip install 'kingpost[{driver}]'")
    if not parsed.database:
        raise UrlError(f"the database URL names no database; write {_SHAPE}")
    if driver == "asyncpg" and "sslmode" in parsed.query:
        raise UrlError("asyncpg calls this option ssl: write ?ssl=… instead of ?sslmode=…")
    return url


def with_driver(url: str) -> str:
    """Names an installed driver in a URL as psql takes it, which names none.

    Args:
        url: such as `postgresql://user:password@host:5432/database`.

    Returns:
        The URL with a driver, and `ssl` for `sslmode` if that is asyncpg; any other one as given.

    Raises:
        UrlError: no driver is installed, or it is no URL.
    """
    parsed = _parse(url)
    if parsed.drivername not in _OF_PSQL:
        return url
    driver = any_driver()
    named = parsed.set(drivername=f"postgresql+{driver}")
    if driver == "asyncpg" and "sslmode" in named.query:
        mode = named.query["sslmode"]
        named = named.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return named.render_as_string(hide_password=False)


def installed_drivers() -> tuple[Driver, ...]:
    """The drivers that can be used here, the preferred one first."""
    return tuple(name for name in DRIVERS if find_spec(name) is not None)


def any_driver() -> Driver:
    """The driver for a database that is ours to choose, such as the embedded one.

    Raises:
        UrlError: none is installed.
    """
    for name in installed_drivers():
        return name
    raise UrlError("no driver is installed: pip install 'kingpost[asyncpg]'")


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
