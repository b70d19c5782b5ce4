"""What a run will do, before it does anything."""

from collections.abc import Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationStep, RevisionStep
from sqlalchemy import Connection

from kingpost.migrations.errors import ContractError
from kingpost.migrations.phases import phase_of
from kingpost.migrations.runner import Run


def planned(
    connection: Connection, options: Mapping[str, Any], run: Run
) -> list[RevisionStep] | None:
    """Asks Alembic which steps lead from the database's revision to the wanted one.

    Args:
        connection: to read the revision of the database.
        options: for Alembic's context.
        run: says what to do about contracts, and takes note of what is held back.

    Returns:
        The steps in their order; None for what is no way of single revisions, such as `stamp`.

    Raises:
        CommandError: there is no such revision, or no way to it.
        ContractError: a contract is in the way, which the run refuses.
    """
    context.configure(connection=connection, **options)
    migration = context.get_context()
    if migration.purge:
        return None
    found: list[MigrationStep] = list(
        migration.opts["fn"](migration.get_current_heads(), migration)
    )
    steps = [step for step in found if isinstance(step, RevisionStep)]
    if len(steps) < len(found):
        return None
    allowed = _allowed(steps, run)
    run.planned[:] = [step.revision.revision for step in allowed]
    return allowed


def _allowed(steps: list[RevisionStep], run: Run) -> list[RevisionStep]:
    """Cuts the way before its first contract, unless that is allowed."""
    if run.contract == "allow":
        return steps
    ids = [step.revision.revision for step in steps]
    contracts = (
        number
        for number, step in enumerate(steps)
        if step.is_upgrade and phase_of(step.revision) == "contract"
    )
    end = next(contracts, len(steps))
    run.held_back[:] = ids[end:]
    if run.held_back and run.contract == "refuse":
        raise ContractError(
            f"revision {run.held_back[0]} takes away what the version before still uses: "
            "add --contract once no instance of that is left"
        )
    return steps[:end]
