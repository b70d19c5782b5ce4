"""`kingpost dev`: everything a developer needs, with one command."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from fastapi import FastAPI

from kingpost.cli import serving
from kingpost.cli.invocation import CommandError, Invocation, Subcommands, quiet
from kingpost.cli.keys import with_keys
from kingpost.cli.routes import routes_of
from kingpost.migrations import upgrade
from kingpost.project import Project
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
    sockets = serving.listen(listen, project.env_prefix)
    with invocation.settings_with_database() as complete:
        settings = complete.model_copy(update={"port": sockets[0].getsockname()[1]})
        upgrade(project, _url(settings))
        _print_welcome(_welcome(project, settings, serving.address(settings, sockets)))
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


def _url(settings: ServiceSettings) -> str:
    return settings.database_url.get_secret_value() if settings.database_url else ""


@dataclass(frozen=True, slots=True)
class Welcome:
    """What is printed before serving starts.

    Attributes:
        address: URL of the service.
        docs: URL of the API reference, if it is served.
        key: the first API key, on the run that made it.
        example: path of a list that the key opens.
    """

    address: str
    docs: str | None
    key: str | None
    example: str | None


def _welcome(project: Project, settings: ServiceSettings, address: str) -> Welcome:
    app = project.create_app(quiet(settings))
    key = None if settings.auth == "off" else with_keys(app, _make_first_key)
    return Welcome(
        address=address,
        docs=None if settings.docs is False else f"{address}/docs",
        key=key,
        example=_example(app),
    )


async def _make_first_key(keys: "KeyAdmin") -> str | None:
    if await keys.list():
        return None
    return (await keys.create("development", list(keys.all_scopes()))).key


def _example(app: FastAPI) -> str | None:
    """A list that the key opens: pasted, it shows that everything works."""
    lists = (
        route.path
        for route in routes_of(app)
        if "GET" in route.methods and route.scopes and "{" not in route.path
    )
    return next(lists, None)


def _print_welcome(welcome: Welcome) -> None:
    print(f"\n  Service  {welcome.address}")
    if welcome.docs:
        print(f"  Docs     {welcome.docs}")
    if welcome.key:
        print(f"  API key  {welcome.key}  (shown only now)")
    else:
        print("  API key  made on the first run; another one: kingpost keys create NAME --scope …")
    print(f"  Try      {_curl(welcome)}\n", flush=True)


def _curl(welcome: Welcome) -> str:
    if welcome.key and welcome.example:
        header = f"-H 'Authorization: Bearer {welcome.key}'"
        return f"curl {header} {welcome.address}{welcome.example}"
    return f"curl {welcome.address}/readyz"
