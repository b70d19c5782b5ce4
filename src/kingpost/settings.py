"""The settings that every service on Kingpost has, and how they are read.

The library reads no environment: `load` is given the mapping to read from.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from kingpost.database.options import DatabaseOptions

Seconds = float
Environment = Literal["development", "test", "production"]


class ServiceSettings(BaseModel):
    """Base of a service's settings; a service adds its own fields by inheritance.

    Times are in seconds, sizes in bytes. The timeouts are ordered, so that the cause is named
    by the innermost one: request > statement > lock > acquire.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    database_url: SecretStr | None = Field(
        None, description="postgresql+asyncpg://… or postgresql+psycopg://…"
    )
    database_pooler: Literal["none", "pgbouncer"] = Field(
        "none", description="pgbouncer: a pooler in transaction mode sits in between"
    )
    environment: Environment = Field("development", description="where the service runs")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port of the API; 0 takes a free one")
    ops_port: int | None = Field(
        None, ge=0, le=65535, description="port of /livez, /readyz and /metrics, if not the API's"
    )
    auth: Literal["keys", "off"] = Field(
        "keys", description="off: no API keys, never in production"
    )
    secret: SecretStr | None = Field(
        None, min_length=32, description="signs cursors and hashes API keys; 32 characters or more"
    )
    docs: bool | None = Field(None, description="serve /docs; by default not in production")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="log level")
    allowed_hosts: str = Field("*", description="Host names answered to, separated by commas")

    trusted_proxies: str | None = Field(
        None, description="addresses whose X-Forwarded-* headers are believed, by commas"
    )

    request_timeout: Seconds = Field(10.0, gt=0, le=600, description="deadline of a request")
    body_timeout: Seconds | None = Field(
        None, gt=0, le=600, description="a body is complete in time; by default 0.8 of the deadline"
    )
    write_timeout: Seconds = Field(
        20.0, gt=0, le=600, description="a client that takes no more of its answer is cut off"
    )
    statement_timeout: Seconds = Field(5.0, gt=0, le=600, description="limit of one statement")
    lock_timeout: Seconds = Field(2.0, gt=0, le=600, description="longest wait for a lock")
    acquire_timeout: Seconds = Field(1.0, gt=0, le=600, description="wait for a free connection")
    connect_timeout: Seconds = Field(3.0, gt=0, le=60, description="limit of a new connection")
    idle_transaction_timeout: Seconds = Field(
        10.0, gt=0, le=600, description="PostgreSQL ends a transaction that idles longer"
    )
    keep_alive_timeout: Seconds = Field(
        75.0, gt=0, le=3600, description="idle connections stay open; exceed the load balancer's"
    )
    max_connections: int = Field(900, ge=10, description="most connections of clients at a time")
    drain_seconds: Seconds = Field(
        0.0,
        ge=0,
        le=300,
        description="after SIGTERM: not ready, still serving, for so long; 5 in production",
    )
    shutdown_timeout: Seconds = Field(
        25.0, gt=0, le=600, description="then: time for requests in flight to finish"
    )
    workers: int = Field(1, ge=1, le=256, description="processes that serve the same port")
    worker_timeout: Seconds = Field(
        30.0, ge=2, le=600, description="a worker that is blocked for longer is replaced"
    )
    handover: str | None = Field(
        None, description="path of a Unix socket: the next `serve` takes the ports over through it"
    )

    pool_size: int = Field(
        10, ge=1, le=1000, description="database connections per process, for transactions"
    )
    direct_pool_size: int = Field(
        8, ge=1, le=1000, description="further ones, for reads and creates of a single row"
    )
    transaction_attempts: int = Field(
        4, ge=1, le=10, description="runs of a use case on serialization failure or deadlock"
    )
    slow_statement: Seconds = Field(0.5, ge=0, le=600, description="slower statements are logged")
    key_cache_seconds: Seconds = Field(
        5.0, ge=0, le=300, description="a key revoked elsewhere lives on for at most so long"
    )
    idempotency_seconds: Seconds = Field(
        86400.0, gt=0, le=31_536_000, description="an answer is remembered by its key for so long"
    )
    idempotency_required: bool = Field(
        False, description="an idempotent() route refuses what has no Idempotency-Key"
    )
    max_requests: int = Field(
        352, ge=4, description="requests worked on at once; beyond it 503, for lists from 7/8 on"
    )
    rate_limit: int | None = Field(
        None, ge=1, le=1_000_000_000, description="requests of a key in a window; by default any"
    )
    rate_window: int = Field(60, ge=1, le=86_400, description="seconds of that window")
    auth_failures: int = Field(
        30, ge=0, le=1_000_000, description="wrong keys of an address in a minute; 0 for any number"
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="largest request body")
    max_header_bytes: int = Field(32_768, ge=1024, description="largest header section")
    max_headers: int = Field(100, ge=10, description="most header lines")
    max_url_bytes: int = Field(8_192, ge=256, description="longest request target")

    @model_validator(mode="before")
    @classmethod
    def _production_drains(cls, given: Any) -> Any:
        """A load balancer needs a moment to see that the instance is not ready any more."""
        if isinstance(given, dict) and given.get("environment") == "production":
            return {"drain_seconds": 5.0} | given
        return given

    @model_validator(mode="after")
    def _timeouts_are_ordered(self) -> Self:
        ordered = (
            ("request_timeout", self.request_timeout),
            ("statement_timeout", self.statement_timeout),
            ("lock_timeout", self.lock_timeout),
            ("acquire_timeout", self.acquire_timeout),
        )
        body = ("body_timeout", self.content_seconds)
        for (outer, longer), (inner, shorter) in [*pairwise(ordered), (ordered[0], body)]:
            if longer <= shorter:
                raise ValueError(f"`{outer}` ({longer:g} s) must exceed `{inner}` ({shorter:g} s)")
        return self

    @model_validator(mode="after")
    def _production_is_safe(self) -> Self:
        if self.environment != "production":
            return self
        if self.auth == "off":
            raise ValueError("`auth`: may not be off in production")
        if self.secret is None:
            raise ValueError("`secret`: is required in production, 32 random characters or more")
        return self

    @property
    def content_seconds(self) -> float:
        """How long the content of a request may take to arrive, in seconds.

        By default so long that a request which stalls is told so before its deadline.
        """
        return 0.8 * self.request_timeout if self.body_timeout is None else self.body_timeout

    def database_options(self, application_name: str) -> DatabaseOptions:
        """These settings as the database layer takes them.

        Args:
            application_name: how the service is called in `pg_stat_activity`.

        Returns:
            The options.

        Raises:
            SettingsError: no database is set.
        """
        if self.database_url is None:
            raise SettingsError(["a database is required: set DATABASE_URL, or use kingpost dev"])
        return DatabaseOptions(
            url=self.database_url.get_secret_value(),
            pooler=self.database_pooler,
            pool_size=self.pool_size,
            direct_pool_size=self.direct_pool_size,
            acquire_timeout=self.acquire_timeout,
            connect_timeout=self.connect_timeout,
            statement_timeout=self.statement_timeout,
            lock_timeout=self.lock_timeout,
            idle_transaction_timeout=self.idle_transaction_timeout,
            attempts=self.transaction_attempts,
            slow_statement=self.slow_statement,
            application_name=application_name,
        )


S = TypeVar("S", bound=ServiceSettings)


class SettingsError(Exception):
    """The settings are wrong; `lines` has one clear line for each mistake."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class LoadedSettings(Generic[S]):
    """Settings with the origin of each: `environment`, `.env` or `default`."""

    values: S
    origins: Mapping[str, str]


def load(
    model: type[S],
    *,
    prefix: str,
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None] | None = None,
) -> LoadedSettings[S]:
    """Reads settings from mappings, the environment before the `.env` file.

    Args:
        model: the service's settings class.
        prefix: what the names begin with, such as `APP_`; other names are left alone.
        environ: the process environment.
        dotenv: the content of a `.env` file, if there is one.

    Returns:
        The validated settings with their origins.

    Raises:
        SettingsError: with a line for each unknown name and each invalid value.
    """
    given, origins, unknown = _collect(model, prefix, environ, dotenv or {})
    lines = [f"{name}: there is no such setting{_suggest(name, prefix, model)}" for name in unknown]
    try:
        values = model.model_validate(given)
    except ValidationError as error:
        lines += [_line(prefix, item) for item in error.errors(include_url=False)]
    if lines:
        raise SettingsError(lines)
    return LoadedSettings(
        values, {name: origins.get(name, "default") for name in model.model_fields}
    )


def _collect(
    model: type[ServiceSettings],
    prefix: str,
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    given: dict[str, str] = {}
    origins: dict[str, str] = {}
    unknown: list[str] = []
    for origin, source in ((".env", dotenv), ("environment", environ)):
        for name, value in source.items():
            if not name.upper().startswith(prefix) or value is None:
                continue
            field = name[len(prefix) :].lower()
            if field not in model.model_fields:
                unknown.append(name)
            elif value == "" and origin == "environment":
                given.pop(field, None)  # an empty variable means: the default
                origins.pop(field, None)
            else:
                given[field], origins[field] = value, origin
    return given, origins, unknown


def _suggest(name: str, prefix: str, model: type[ServiceSettings]) -> str:
    import difflib  # noqa: PLC0415 - only needed to explain a mistake

    known = [prefix + field.upper() for field in model.model_fields]
    close = difflib.get_close_matches(name.upper(), known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _line(prefix: str, item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "too_short" and isinstance(item["input"], str):
        message = f"needs {item['ctx']['min_length']} characters or more"  # not "items"
    if not item["loc"]:  # more than one setting is at fault, and the message names them
        return re.sub(r"`(\w+)`", lambda name: prefix + name[1].upper(), message)
    return f"{prefix}{str(item['loc'][0]).upper()}: {message}"
