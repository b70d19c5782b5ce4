"""The engine that migrations use: no pool, no named prepared statements, no time limits."""

from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool


def migration_engine(url: str) -> AsyncEngine:
    """Makes an engine whose connections live as long as their use.

    Prepared statements are off, since a schema that changes under them makes them fail.

    Args:
        url: with an asynchronous driver, asyncpg or psycopg.

    Returns:
        The engine; nothing is connected.
    """
    cache: dict[str, Any] = {"prepare_threshold": None}
    if make_url(url).get_driver_name() == "asyncpg":
        cache = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    return create_async_engine(url, poolclass=NullPool, connect_args=cache)


def unreachable(error: Exception, setting: str) -> str:
    """Says in one line that there is no way to the database.

    Args:
        error: what the driver or SQLAlchemy raised.
        setting: what holds the URL, such as `APP_DATABASE_URL`.

    Returns:
        The line, with the way out.
    """
    return f"the database cannot be reached ({reason(error)}): start it, or correct {setting}"


def reason(error: BaseException) -> str:
    """Why something failed, in one line, in the words of the server if it was the server.

    Args:
        error: any failure.

    Returns:
        The line.
    """
    told = " ".join(str(getattr(error, "orig", None) or error).split())
    if told.startswith("<class "):  # SQLAlchemy puts the class in front for asyncpg
        told = told.partition(">: ")[2]
    return told or type(error).__name__
