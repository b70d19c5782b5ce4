"""Commands that look after the answers remembered by Idempotency-Key."""

import asyncio
from typing import TYPE_CHECKING

from kingpost.cli.invocation import CommandError, Invocation, Subcommands, quiet
from kingpost.cli.keys import runtime_of

if TYPE_CHECKING:
    from kingpost.http.runtime import Runtime

_BATCH = 1000


def add_commands(commands: Subcommands) -> None:
    """Adds `idempotency` to the parser."""
    group = commands.add_parser("idempotency", help="look after remembered answers")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    purging = actions.add_parser("purge", help="delete answers that have expired")
    purging.add_argument("--dry-run", action="store_true", help="only count them")
    purging.set_defaults(run=purge)


def purge(invocation: Invocation) -> int:
    """Deletes expired answers, batch after batch, or only counts them."""
    with invocation.settings_with_database() as settings:
        runtime = runtime_of(invocation.project.create_app(quiet(settings)))
        asyncio.run(_purge(runtime, only_count=invocation.arguments.dry_run))
    return 0


async def _purge(runtime: "Runtime", *, only_count: bool) -> None:
    try:
        await _purge_batches(runtime, only_count=only_count)
    finally:
        await runtime.database.close()


async def _purge_batches(runtime: "Runtime", *, only_count: bool) -> None:
    idempotency = runtime.idempotency
    if idempotency is None:
        raise CommandError("this service remembers no answers: give Runtime an Idempotency")
    expired = await idempotency.count_expired()
    if only_count:
        print(f"{_answers(expired)} would be deleted")
        return
    deleted = 0
    while (rows := await idempotency.purge(_BATCH)) > 0:
        deleted += rows
        if rows == _BATCH:
            print(f"deleted {deleted} of {max(deleted, expired)}", flush=True)
    print(f"deleted {_answers(deleted)}")


def _answers(number: int) -> str:
    return f"{number} expired answer{'' if number == 1 else 's'}"
