"""`kingpost dev`: everything a developer needs, with one command."""

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from fastapi import FastAPI

from kingpost.cli import serving
from kingpost.cli.invocation import CommandError, Invocation, Subcommands, quiet
from kingpost.cli.keys import keys_of, with_keys
from kingpost.cli.program import program
from kingpost.cli.routes import routes_of
from kingpost.cli.serve import current_revisions, refuse_unknown
from kingpost.migrations import upgrade
from kingpost.migrations.difference import difference
from kingpost.project import Project
from kingpost.server.sockets import open_ports
from kingpost.settings import ServiceSettings

if TYPE_CHECKING:
    from kingpost.http.runtime import KeyAdmin


def add_commands(commands: Subcommands) -> None:
    """Adds `dev` to the parser."""
    parser = commands.add_parser("dev", help="start PostgreSQL, migrate, serve with reload")
    parser.add_argument("--no-reload", action="store_true", help="serve in this process")
    parser.add_argument("--port", type=int, help="instead of the one of the settings")
    parser.set_defaults(run=run)


def run(invocation: Invocation) -> int:
    """Serves the service of this folder until Ctrl-C or SIGTERM, then stops all it started."""
    with _ending_is_success():
        _serve(invocation)
    return 0


@contextmanager
def _ending_is_success() -> Iterator[None]:
    """Makes SIGTERM unwind like Ctrl-C, so that the database is stopped however we are ended."""
    signal.signal(signal.SIGTERM, _unwind)
    try:
        yield
    except KeyboardInterrupt:
        return


def _unwind(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _serve(invocation: Invocation) -> None:
    project, listen = invocation.project, _listen_settings(invocation)
    sockets = open_ports(listen, project.env_prefix)
    with invocation.settings_with_database() as complete, _database_kept(invocation):
        settings = complete.model_copy(update={"port": sockets[0].getsockname()[1]})
        _migrate(invocation, _url(settings))
        _print_welcome(project, settings, serving.address(settings, sockets))
        if invocation.arguments.no_reload:
            serving.serve(project, settings, sockets)
        else:
            serving.serve_reloading(project, settings, sockets)


def _listen_settings(invocation: Invocation) -> ServiceSettings:
    settings = invocation.loaded.values
    if settings.environment == "production":
        raise CommandError("dev is not for production: use `kingpost serve`")
    port: int | None = invocation.arguments.port
    return settings if port is None else settings.model_copy(update={"port": port})


@contextmanager
def _database_kept(invocation: Invocation) -> Iterator[None]:
    """Starts the embedded PostgreSQL again when it ends; whoever has another one looks after it."""
    if invocation.loaded.values.database_url is not None:
        yield
        return
    from kingpost.embedded.keeping import kept_running  # noqa: PLC0415 - an extra

    with invocation.project.embedded_server() as server, kept_running(server, _tell):
        yield


def _tell(line: str) -> None:
    print(f"kingpost: {line}", file=sys.stderr, flush=True)


def _url(settings: ServiceSettings) -> str:
    return settings.database_url.get_secret_value() if settings.database_url else ""


def _migrate(invocation: Invocation, url: str) -> None:
    from alembic.util import CommandError as AlembicError  # noqa: PLC0415 - slow to import

    project = invocation.project
    try:
        upgrade(project, url)
    except AlembicError:
        embedded = invocation.loaded.values.database_url is None
        other = f"start over with `{program()} db reset`" if embedded else "use another database"
        way_out = f"switch back to the code that made it, or {other}"
        refuse_unknown(project, current_revisions(project, url), way_out)
        raise
    _warn_of_difference(project, url)


def _warn_of_difference(project: Project, url: str) -> None:
    found = difference(project, url)
    if found is not None:
        alembic = program("alembic")
        print(
            f"kingpost: the models differ from the migrations (e.g. {found}): "
            f"run `{alembic} revision --autogenerate -m …`",
            file=sys.stderr,
        )


@dataclass(frozen=True, slots=True)
class Access:
    """How to get at the routes.

    Attributes:
        text: what is told about API keys.
        key: the first one, on the run that made it.
        open: that no key is needed.
    """

    text: str
    key: str | None = None
    open: bool = False


def _print_welcome(project: Project, settings: ServiceSettings, address: str) -> None:
    app = project.create_app(quiet(settings))
    access = _access(app, settings, project.env_prefix)
    print(f"\n  Service  {address}")
    if settings.docs is not False:
        print(f"  Docs     {address}/docs")
    print(f"  API key  {access.text}")
    print(f"  Try      {_curl(access, address, _example(app))}\n", flush=True)


def _access(app: FastAPI, settings: ServiceSettings, prefix: str) -> Access:
    if keys_of(app) is None:
        return Access("none needed", open=True)
    if settings.auth == "off":
        return Access(f"none needed ({prefix}AUTH=off)", open=True)
    key, scopes = with_keys(app, _make_first_key)
    if key is not None:
        return Access(f"{key}  (shown only now)", key)
    wanted = "".join(f" --scope {shlex.quote(scope)}" for scope in scopes)
    return Access(f"made on the first run; another one: {program()} keys create me{wanted}")


async def _make_first_key(keys: "KeyAdmin") -> tuple[str | None, list[str]]:
    scopes = list(keys.all_scopes())
    if await keys.list():
        return None, scopes
    return (await keys.create("development", scopes)).key, scopes


def _example(app: FastAPI) -> str | None:
    """A list that the key opens: pasted, it shows that everything works."""
    lists = (
        route.path
        for route in routes_of(app)
        if "GET" in route.methods and route.scopes and "{" not in route.path
    )
    return next(lists, None)


def _curl(access: Access, address: str, example: str | None) -> str:
    if example and access.key:
        return f"curl -H 'Authorization: Bearer {access.key}' {address}{example}"
    if example and access.open:
        return f"curl {address}{example}"
    return f"curl {address}/readyz"
