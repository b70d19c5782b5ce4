"""Commands for the database of development: url, psql, reset."""

import shutil
import subprocess
import sys
from pathlib import Path

from sqlalchemy.engine import make_url

from kingpost.cli import lint, migrate, rehearse
from kingpost.cli.invocation import CommandError, Invocation, Subcommands
from kingpost.migrations import upgrade


def add_commands(commands: Subcommands) -> None:
    """Adds `db` to the parser."""
    group = commands.add_parser("db", help="the database: its URL, a shell, a fresh start")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("url", help="print the URL").set_defaults(run=show_url)
    shell = actions.add_parser("psql", help="open psql")
    shell.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="of psql, such as -c")
    shell.set_defaults(run=psql)
    resetting = actions.add_parser("reset", help="delete all data of the embedded database")
    resetting.add_argument("--yes", action="store_true", help="do not ask")
    resetting.set_defaults(run=reset)
    for module in (migrate, lint, rehearse):
        module.add_actions(actions)


def show_url(invocation: Invocation) -> int:
    """Prints the URL of the database, with its password."""
    with invocation.project.database_url(invocation.loaded.values) as url:
        print(url)
    if invocation.loaded.values.database_url is None:
        print("It answers while `kingpost dev` runs.", file=sys.stderr)
    return 0


def psql(invocation: Invocation) -> int:
    """Opens psql on the database; the embedded one stays up as long as that."""
    with invocation.project.database_url(invocation.loaded.values) as url:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        command = [str(_psql_program(invocation)), plain, *invocation.arguments.arguments]
        return subprocess.run(command, check=False).returncode  # noqa: S603 - psql itself


def _psql_program(invocation: Invocation) -> Path:
    found = shutil.which("psql", path=invocation.environ.get("PATH"))
    if invocation.loaded.values.database_url is not None and found is not None:
        return Path(found)
    return invocation.project.embedded_server().bin("psql")


def reset(invocation: Invocation) -> int:
    """Drops the embedded database and makes it anew, empty and migrated."""
    settings = invocation.loaded.values
    if settings.environment == "production" or settings.database_url is not None:
        raise CommandError(
            "db reset is for the embedded database of development: "
            f"unset {invocation.project.env_prefix}DATABASE_URL, and never run it in production"
        )
    project = invocation.project
    if not (invocation.arguments.yes or _confirmed(project.development_folder)):
        raise CommandError("nothing was deleted")
    with project.embedded() as server:
        server.drop_database(project.development_database)
        server.create_database(project.development_database)
        upgrade(project, project.development_url(server))
    print("The database is empty and at the newest revision.")
    return 0


def _confirmed(folder: Path) -> bool:
    try:
        return input(f"Delete all data of the database in {folder}? [y/N] ").lower() in {"y", "yes"}
    except EOFError:
        return False
