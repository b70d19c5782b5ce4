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
from app.db.models import IdempotencyKey, RateLimit
from app.db.session import connect
from app.services.keys import KeyCommands, KeyService, KeyStore
from kingpost import __version__
from kingpost.database import Database, Purge, UnitOfWork
from kingpost.http import Runtime, install
from kingpost.idempotency import Idempotency
from kingpost.migrations.readiness import revision_check
from kingpost.observability import Metrics
from kingpost.pagination import Cursors
from kingpost.ratelimit import RateLimiter
from kingpost.security import (
    Authenticator,
    FailedAuthentications,
    KeyAuthenticator,
    LastUsed,
    NoAuthentication,
    derive,
)
from kingpost.server import Check, State

MIGRATIONS = Path(__file__).parent / "migrations"


def create_app(settings: Settings) -> FastAPI:
    """Puts the service together: everything that lives as long as the app is made here."""
    logging.configure(settings)
    metrics = Metrics()
    database = connect(settings, metrics.database_observer())
    watch_pools(metrics, database)
    secret = settings.secret.get_secret_value() if settings.secret else token_urlsafe(32)
    store = KeyStore(database.unit_of_work(actor="service"))
    last_used = LastUsed(store.write_last_used)
    pepper = derive(secret, "keys")
    keys = KeyAuthenticator(
        store.find,
        pepper=pepper,
        cache_seconds=settings.key_cache_seconds,
        used=last_used.touch,
        failures=failed_authentications(settings, metrics),
    )
    idempotency = remembered_answers(settings, database, secret, metrics)
    limiter = rate_limiter(settings, database, metrics)
    key_service = key_services(settings, pepper, keys)

    app = FastAPI(
        title="Users and posts",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Asked three times per request whether OpenTelemetry is set up; logs and metrics are ours.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan(last_used, idempotency, limiter),
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
        idempotency=idempotency,
        is_key_required=settings.idempotency_required,
        limiter=limiter,
        state=State(metrics=metrics, checks=checks(database)),
    )
    install_http(app, runtime, settings)
    return app


def install_http(app: FastAPI, runtime: Runtime, settings: Settings) -> None:
    install(
        app,
        runtime,
        request_timeout=settings.request_timeout,
        docs=settings.environment != "production" if settings.docs is None else settings.docs,
        operations=settings.ops_port is None,
        development=settings.environment != "production",
    )


def watch_pools(metrics: Metrics, database: Database) -> None:
    metrics.watch_pool(database.pool_status)
    metrics.watch_pool(database.direct_status, "database_direct_pool")


def remembered_answers(
    settings: Settings, database: Database, secret: str, metrics: Metrics
) -> Idempotency:
    return Idempotency(
        database,
        IdempotencyKey,
        secret=derive(secret, "idempotency"),
        seconds=settings.idempotency_seconds,
        told=metrics.count_idempotency,
    )


def failed_authentications(settings: Settings, metrics: Metrics) -> FailedAuthentications | None:
    if settings.auth_failures == 0:
        return None
    return FailedAuthentications(settings.auth_failures, told=metrics.count_rate_limit)


def rate_limiter(settings: Settings, database: Database, metrics: Metrics) -> RateLimiter | None:
    if settings.rate_limit is None:
        return None
    return RateLimiter(
        database,
        RateLimit,
        limit=settings.rate_limit,
        window=settings.rate_window,
        told=metrics.count_rate_limit,
    )


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
    probes = database.probes
    revision = revision_check(probes.engine, MIGRATIONS)
    return {"database": database.ping, "revision": lambda: probes.ask(revision)}


def lifespan(
    last_used: LastUsed, idempotency: Idempotency, limiter: RateLimiter | None
) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        runs = [last_used.run(), Purge(idempotency).run()]
        if limiter is not None:
            runs.append(Purge(limiter).run())
        tasks = [asyncio.create_task(run) for run in runs]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await last_used.flush()

    return run
