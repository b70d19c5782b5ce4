"""Commands that look at the service without running it: routes, openapi, config, version."""

import json
from importlib.metadata import version as installed_version
from pathlib import Path
from platform import python_version

from pydantic import SecretStr

from kingpost.cli.invocation import Invocation, Subcommands
from kingpost.cli.table import print_table


def add_commands(commands: Subcommands) -> None:
    """Adds the commands to the parser."""
    routes = commands.add_parser("routes", help="list the routes with their scopes")
    routes.set_defaults(run=show_routes)
    openapi = commands.add_parser("openapi", help="print the OpenAPI document")
    openapi.add_argument("--output", type=Path, metavar="FILE", help="write it to a file")
    openapi.set_defaults(run=write_openapi)
    config = commands.add_parser("config", help="list the settings with their origins")
    config.set_defaults(run=show_config)
    version = commands.add_parser("version", help="print the versions that matter")
    version.set_defaults(run=show_version)


def show_routes(invocation: Invocation) -> int:
    """Prints method, path, scopes and name of each route."""
    from kingpost.cli.routes import routes_of  # noqa: PLC0415 - slow to import

    app = invocation.project.create_app(invocation.settings_without_database())
    print_table(
        ("METHOD", "PATH", "SCOPE", "NAME"),
        [
            (",".join(route.methods), route.path, _scopes(route.scopes), route.name)
            for route in routes_of(app)
        ],
    )
    return 0


def _scopes(scopes: tuple[str, ...] | None) -> str:
    return "-" if scopes is None else " ".join(scopes) or "any key"


def write_openapi(invocation: Invocation) -> int:
    """Prints the OpenAPI document, or writes it to a file."""
    app = invocation.project.create_app(invocation.settings_without_database())
    document = json.dumps(app.openapi(), indent=2, ensure_ascii=False)
    output: Path | None = invocation.arguments.output
    if output is None:
        print(document)
    else:
        output.write_text(document + "\n", encoding="utf-8")
    return 0


def show_config(invocation: Invocation) -> int:
    """Prints each setting with its value and origin; secrets stay hidden."""
    loaded = invocation.loaded
    prefix = invocation.project.env_prefix
    print_table(
        ("SETTING", "VALUE", "FROM"),
        [
            (prefix + name.upper(), _shown(value), loaded.origins[name])
            for name, value in loaded.values
        ],
    )
    return 0


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(hidden)"
    return "(not set)" if value is None else str(value)


def show_version(_: Invocation) -> int:
    """Prints the versions of Kingpost, Python and the libraries that carry it."""
    print(f"kingpost {installed_version('kingpost')} (Python {python_version()})")
    for name in ("fastapi", "sqlalchemy", "alembic", "pydantic", "uvicorn"):
        print(f"  {name} {installed_version(name)}")
    return 0
