import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_urlsafe

from fastapi import FastAPI
from starlette.types import Lifespan

from app.api.v1 import router
from app.core import logging
from app.core.config import Settings
from app.db.session import connect
from app.services.keys import KeyCommands, KeyService, KeyStore
from kingpost import __version__
from kingpost.database import Database, UnitOfWork
from kingpost.http import Runtime, install
from kingpost.migrations.readiness import revision_check
from kingpost.observability import Metrics
from kingpost.pagination import Cursors
from kingpost.security import Authenticator, KeyAuthenticator, LastUsed, NoAuthentication, derive
from kingpost.server import Check, State

MIGRATIONS = Path(__file__).parent / "migrations"


def create_app(settings: Settings) -> FastAPI:
    """Puts the service together: everything that lives as long as the app is made here."""
    logging.configure(settings)
    metrics = Metrics()
    database = connect(settings, metrics.database_observer())
    metrics.watch_pool(database.pool_status)
    secret = settings.secret.get_secret_value() if settings.secret else token_urlsafe(32)
    store = KeyStore(database.unit_of_work(actor="service"))
    last_used = LastUsed(store.write_last_used)
    keys = KeyAuthenticator(
        store.find,
        pepper=derive(secret, "keys"),
        cache_seconds=settings.key_cache_seconds,
        used=last_used.touch,
    )
    key_service = key_services(settings, derive(secret, "keys"), keys)

    app = FastAPI(
        title="Users and posts",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan(last_used),
    )
    app.state.key_service = key_service
    app.state.last_used = last_used
    app.include_router(router)
    runtime = Runtime(
        database=database,
        authenticator=authenticator(settings, keys),
        cursors=Cursors(derive(secret, "cursors")),
        max_body_bytes=settings.max_body_bytes,
        keys=KeyCommands(key_service, database),
        state=State(metrics=metrics, checks=checks(database)),
    )
    install(
        app,
        runtime,
        request_timeout=settings.request_timeout,
        docs=settings.environment != "production" if settings.docs is None else settings.docs,
        operations=settings.ops_port is None,
        development=settings.environment != "production",
    )
    return app


def key_services(
    settings: Settings, pepper: bytes, keys: KeyAuthenticator
) -> Callable[[UnitOfWork], KeyService]:
    def make(work: UnitOfWork) -> KeyService:
        return KeyService(
            work, environment=settings.environment, pepper=pepper, changed=keys.forget
        )

    return make


def authenticator(settings: Settings, keys: KeyAuthenticator) -> Authenticator:
    return NoAuthentication() if settings.auth == "off" else keys


def checks(database: Database) -> dict[str, Check]:
    return {
        "database": database.ping,
        "revision": revision_check(database.engine, MIGRATIONS),
    }


def lifespan(last_used: LastUsed) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        writing = asyncio.create_task(last_used.run())
        yield
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await last_used.flush()

    return run
