"""Commands that manage API keys."""

import asyncio
from argparse import ArgumentTypeError
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from kingpost.cli.invocation import CommandError, Invocation, Subcommands, UsageError, quiet
from kingpost.cli.table import print_table

if TYPE_CHECKING:
    from fastapi import FastAPI

    from kingpost.http.runtime import KeyAdmin, KeyView, NewKey, Runtime

T = TypeVar("T")


def add_commands(commands: Subcommands) -> None:
    """Adds `keys` to the parser."""
    group = commands.add_parser("keys", help="create, list, revoke and rotate API keys")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    creating = actions.add_parser("create", help="make a key; its secret is shown only now")
    creating.add_argument("name", metavar="NAME", help="who or what will use it, such as billing")
    creating.add_argument(
        "--scope", action="append", default=[], help="what it may do, such as users:read; repeat it"
    )
    creating.add_argument(
        "--expires-in", type=_days, metavar="DAYS", help="1 to 3650 days; default: never"
    )
    creating.set_defaults(run=create)
    actions.add_parser("list", help="list all keys").set_defaults(run=show)
    for name, action, text in (
        ("revoke", revoke, "end a key"),
        ("rotate", rotate, "make a successor with the same name and scopes"),
    ):
        parser = actions.add_parser(name, help=text)
        parser.add_argument("id", type=_key_id, metavar="ID", help="as `kingpost keys list` has it")
        parser.set_defaults(run=action)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 3650):
        raise ArgumentTypeError("1 to 3650 days")
    return int(text)


def _key_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError("no id of a key; `kingpost keys list` has them") from None


def create(invocation: Invocation) -> int:
    """Makes a key and prints its secret."""
    given = invocation.arguments
    if not given.scope:
        _ask_for_scopes(invocation)
    _print_secret(
        _manage(invocation, lambda keys: keys.create(given.name, given.scope, given.expires_in))
    )
    return 0


def _ask_for_scopes(invocation: Invocation) -> None:
    keys = keys_of(invocation.project.create_app(invocation.settings_without_database()))
    known = keys.all_scopes() if keys else ()
    if known:
        raise UsageError(f"--scope is required; one of {', '.join(known)}, or a narrower one")


def show(invocation: Invocation) -> int:
    """Prints all keys, without their secrets."""
    rows = _manage(invocation, lambda keys: keys.list())
    print_table(
        ("ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "REVOKED"),
        [_row(key) for key in rows],
    )
    return 0


def _row(key: "KeyView") -> tuple[str, ...]:
    moments = (key.created_at, key.expires_at, key.last_used_at, key.revoked_at)
    return (str(key.id), key.name, " ".join(key.scopes) or "-", *map(_moment, moments))


def revoke(invocation: Invocation) -> int:
    """Ends a key."""
    _manage(invocation, lambda keys: keys.revoke(invocation.arguments.id))
    print(f"revoked {invocation.arguments.id}")
    return 0


def rotate(invocation: Invocation) -> int:
    """Makes a successor of a key and prints its secret."""
    _print_secret(_manage(invocation, lambda keys: keys.rotate(invocation.arguments.id)))
    return 0


def _print_secret(key: "NewKey") -> None:
    print(f"id      {key.id}")
    print(f"scopes  {' '.join(key.scopes) or '-'}")
    print(f"key     {key.key}")
    print("The key is shown only now: keep it in a safe place.")


def _moment(value: datetime | None) -> str:
    return "-" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")


def _manage(invocation: Invocation, use: "Callable[[KeyAdmin], Awaitable[T]]") -> T:
    with invocation.settings_with_database() as settings:
        return with_keys(invocation.project.create_app(quiet(settings)), use)


def with_keys(app: "FastAPI", use: "Callable[[KeyAdmin], Awaitable[T]]") -> T:
    """Uses the keys of a service without serving it.

    Args:
        app: the service.
        use: called with the keys.

    Returns:
        What `use` returns.

    Raises:
        CommandError: the service has no keys.
    """
    runtime, keys = runtime_of(app), keys_of(app)
    if keys is None:
        raise CommandError("this service has no API keys")

    async def run() -> T:
        try:
            return await use(keys)
        finally:
            await runtime.database.close()

    return asyncio.run(run())


def runtime_of(app: "FastAPI") -> "Runtime":
    """What the service carries.

    Args:
        app: the service.

    Raises:
        CommandError: it carries nothing.
    """
    runtime: Runtime | None = getattr(app.state, "kingpost", None)
    if runtime is None:
        raise CommandError("create_app must call kingpost.http.install(app, runtime, …)")
    return runtime


def keys_of(app: "FastAPI") -> "KeyAdmin | None":
    """What manages the keys of the service; None if it has no keys.

    Args:
        app: the service.

    Raises:
        CommandError: it carries nothing.
    """
    keys: KeyAdmin | None = runtime_of(app).keys
    return keys
