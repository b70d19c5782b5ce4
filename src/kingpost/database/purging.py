"""Deletes what nobody needs any more, a part at a time."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Delete

if TYPE_CHECKING:
    from kingpost.database.database import Database
    from kingpost.database.unit_of_work import Transaction


async def delete_rows(database: "Database", statement: Delete, rows: int) -> int:
    """Deletes up to so many rows, in one transaction.

    Args:
        database: where they are.
        statement: deletes up to `rows` of them, its parameter.
        rows: the most that are deleted.

    Returns:
        How many there were.

    Raises:
        Problem: for every failure of the database that is not a bug.
    """

    async def use(tx: "Transaction") -> int:
        result: Any = await tx.session.execute(
            statement,
            {"rows": rows},
            execution_options={"synchronize_session": False, "preserve_rowcount": True},
        )
        return int(result.rowcount)

    return await database.unit_of_work(actor="service").run(use)
