"""The service under test: its settings, its database, its keys, its clients."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.pool import QueuePool

from kingpost.database import AuditEntryMixin, Database
from kingpost.project import Project
from kingpost.settings import ServiceSettings, load
from kingpost.testing.databases import in_own_loop


def settings_for(
    project: Project, environ: Mapping[str, str], database_url: str
) -> ServiceSettings:
    """The settings of the service, from these values only.

    Args:
        project: whose settings class and prefix are used.
        environ: as environment variables.
        database_url: of the test's database.

    Returns:
        The validated settings.
    """
    url = {f"{project.env_prefix}DATABASE_URL": database_url}
    given = {**environ, **url}
    return load(project.settings_model, prefix=project.env_prefix, environ=given).values


def open_database(project: Project, settings: ServiceSettings) -> Database:
    """The library's `Database` with the models of the project.

    Args:
        project: whose metadata is used.
        settings: where the database is, and the limits.

    Returns:
        An open database, to be closed by the caller.
    """
    options = settings.database_options("tests")
    return Database(options, metadata=project.metadata, audit=audit_model(project.metadata))


def audit_model(metadata: MetaData) -> Any:
    """The model of the audit table among these tables, or None if there is none."""
    models = AuditEntryMixin.__subclasses__()
    found = (model for model in models if getattr(model, "metadata", None) is metadata)
    return next(found, None)


@asynccontextmanager
async def rolled_back(database: Database) -> AsyncIterator[AsyncSession]:
    """A session in a transaction that is never committed.

    A commit inside ends a savepoint only, so that the code under test may commit as it likes.

    Args:
        database: where to.

    Yields:
        The session.
    """
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        async with AsyncSession(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            yield session
        await transaction.rollback()


def http_client(app: Any, key: str | None) -> httpx.AsyncClient:
    """A client that calls the application without a network.

    Args:
        app: the ASGI application, started already.
        key: the API key to send, if any.

    Returns:
        The client, to be closed by the caller. An exception that the application does not turn
        into an answer is raised in the test.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


async def make_key(app: Any) -> str | None:
    """Makes an API key that may do everything.

    Args:
        app: the application, whose `app.state.kingpost.keys` makes keys.

    Returns:
        The key, or None for a service without keys.
    """
    keys = getattr(getattr(app.state, "kingpost", None), "keys", None)
    if keys is None:
        return None
    made = await keys.create("tests", keys.all_scopes())
    return str(made.key)


def key_for(project: Project, environ: Mapping[str, str], database_url: str) -> str | None:
    """Makes an API key for a server that is about to start.

    Args:
        project: the service.
        environ: the settings of the server.
        database_url: the database of the server.

    Returns:
        The key, or None for a service without keys.
    """

    async def make() -> str | None:
        app = project.create_app(settings_for(project, environ, database_url))
        try:
            return await make_key(app)
        finally:
            await _close(app)

    return in_own_loop(make)


async def close_what_is_open(app: Any) -> None:
    """Makes one clear failure of a database that outlives its application.

    Args:
        app: the application, ended.
    """
    database = getattr(getattr(app.state, "kingpost", None), "database", None)
    pool = getattr(getattr(database, "engine", None), "pool", None)
    left = pool.checkedin() if isinstance(pool, QueuePool) else 0
    if left:
        await _close(app)
        pytest.fail(
            f"the service ended and left {left} connections of its Database open: "
            "close it in the lifespan, or use kingpost.http.install, which does",
            pytrace=False,
        )


async def _close(app: Any) -> None:
    database = getattr(getattr(app.state, "kingpost", None), "database", None)
    if database is not None:
        await database.close()
