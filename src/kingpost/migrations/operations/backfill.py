"""`op.backfill`: fills or corrects what rows hold, in batches that stop nobody."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alembic.operations import MigrateOperation, Operations

from kingpost.migrations.operations import batches, catalog, journal, throttle
from kingpost.migrations.operations.batches import Filling
from kingpost.migrations.operations.constraints import sql_of
from kingpost.migrations.operations.errors import OperationError
from kingpost.migrations.operations.online import Online, online

logger = logging.getLogger("alembic.kingpost")

_PASSES = 5
_SETTINGS = {"lock_timeout": "1s", "enable_seqscan": "off", "enable_bitmapscan": "off"}
_TELL_SECONDS = 2.0


@Operations.register_operation("backfill")
class BackfillOp(MigrateOperation):
    """Changes rows in batches."""

    def __init__(
        self,
        table: str,
        values: Mapping[str, Any],
        where: str | None = None,
        *,
        batch_rows: int = 1000,
        lag_limit: float = 5.0,
        schema: str | None = None,
    ) -> None:
        self.table = table
        self.values = values
        self.where = where
        self.batch_rows = batch_rows
        self.lag_limit = lag_limit
        self.schema = schema

    @classmethod
    def backfill(
        cls,
        operations: Operations,
        table: str,
        values: Mapping[str, Any],
        where: str | None = None,
        *,
        batch_rows: int = 1000,
        lag_limit: float = 5.0,
        schema: str | None = None,
    ) -> None:
        """Sets columns of the rows that need it, in batches, outside of the transaction.

        It goes along the primary key. Each batch is a transaction, committed together with how
        far it came, in the table `kingpost_migration_steps`: after a crash the revision is run
        again and goes on there. A batch looks at as many rows as take 0.2 to 0.5 seconds, and is
        tried again if a lock cannot be had within a second. Rows that came in meanwhile are
        found by going through the table again, until there are none, at most five times.

        Args:
            operations: supplied by Alembic.
            table: its name; it needs a primary key.
            values: SQL for each column, which may name other columns of the row.
            where: which rows still need it; must not hold afterwards. Without it: rows where a
                column is NULL and its SQL gives something.
            batch_rows: rows that the first batch looks at.
            lag_limit: seconds that a standby may be behind; the next batch waits for it.
            schema: of the table, if it is not found without.

        Raises:
            OperationError: no primary key, no such column, or `where` still holds afterwards.
        """
        kwargs = {"batch_rows": batch_rows, "lag_limit": lag_limit, "schema": schema}
        operations.invoke(cls(table, values, where, **kwargs))  # type: ignore[arg-type] # of three types


@Operations.implementation_for(BackfillOp)
def _backfill(operations: Operations, operation: BackfillOp) -> None:
    with online(operations) as database:
        table = database.name(operation.table, operation.schema)
        for column in operation.values:
            catalog.existing_column(database, column, table)
        values = {column: sql_of(database, sql) for column, sql in operation.values.items()}
        fill(
            database,
            table,
            values,
            operation.where,
            batch_rows=operation.batch_rows,
            lag_limit=operation.lag_limit,
        )


def fill(
    database: Online,
    table: str,
    values: Mapping[str, str],
    where: str | None = None,
    *,
    batch_rows: int = 1000,
    lag_limit: float = 5.0,
) -> None:
    """Does what `op.backfill` says.

    Args:
        database: the connection, outside of a transaction.
        table: as it stands in SQL.
        values: SQL for each column, by name as it is.
        where: which rows still need it.
        batch_rows: rows that the first batch looks at.
        lag_limit: seconds that a standby may be behind.

    Raises:
        OperationError: no primary key, or `where` still holds afterwards.
    """
    quoted = {database.name(column): sql for column, sql in values.items()}
    missing = [f"{name} IS NULL AND ({sql}) IS NOT NULL" for name, sql in quoted.items()]
    filling = Filling(table, quoted, where or " OR ".join(missing))
    if database.offline:
        database.context.impl.static_output(f"-- in batches of {batch_rows} rows, each committed:")
        database.run(batches.update(filling).replace("\\:", ":"))
        return
    filling = replace(filling, key=batches.primary_key(database, table))
    with database.limited(**_SETTINGS):
        _Passes(database, filling, batch_rows, lag_limit).run()


class _Passes:
    """Goes through the table until nothing needs it any more."""

    def __init__(self, database: Online, filling: Filling, size: int, lag_limit: float) -> None:
        self.database = database
        self.filling = filling
        self.size = size
        self.lag_limit = lag_limit
        self.revision = journal.running_revision()
        self.progress = _Progress(database, filling.table)

    def run(self) -> None:
        step = self.filling.step()
        cursor, self.progress.changed, state = journal.start(self.database, self.revision, step)
        if state == journal.DONE:
            return
        number = int(state.partition(" ")[2])
        while self._once(cursor) or cursor or number == 1:
            cursor, number = None, number + 1
            if number > _PASSES:
                logger.warning(
                    "%s: rows that need it keep coming: does the running version write %s?",
                    self.filling.table,
                    ", ".join(self.filling.values),
                )
                break
            journal.turn(self.database, self.revision, step, f"pass {number}")
        journal.turn(self.database, self.revision, step, journal.DONE)
        self.progress.tell(last=True)

    def _once(self, cursor: list[str] | None) -> int:
        """One time through the table; gives how many rows it changed."""
        changed = 0
        while True:
            throttle.wait_for_standbys(self.database, self.lag_limit)
            began = time.monotonic()
            found = batches.end_of_batch(self.database, self.filling, cursor, self.size)
            if found is None:
                return changed
            end, looked = found
            rows, still = batches.change(self.database, self.filling, self.revision, cursor, end)
            if still:
                raise OperationError(
                    f"{still} rows of {self.filling.table} match {self.filling.where} even after "
                    "they were changed: write a condition that says which ones still need it"
                )
            changed, cursor = changed + rows, end
            self.size = throttle.next_size(self.size, time.monotonic() - began)
            self.progress.add(looked, rows)


class _Progress:
    """Says now and then how far it is, through Alembic's logger."""

    def __init__(self, database: Online, table: str) -> None:
        self.table = table
        self.changed = 0
        self.looked = 0
        self.began = self.told = time.monotonic()
        query = "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:table)"
        self.total = int(database.rows(query, table=table)[0][0])

    def add(self, looked: int, changed: int) -> None:
        self.looked += looked
        self.changed += changed
        if time.monotonic() - self.told > _TELL_SECONDS:
            self.tell()

    def tell(self, *, last: bool = False) -> None:
        self.told = time.monotonic()
        rate = self.looked / max(self.told - self.began, 0.001)
        left = (self.total - self.looked) / rate if rate and self.total > self.looked else 0
        tail = "done" if last else f"about {left:.0f} s left" if left else "looking again"
        message = "%s: %d rows changed, %d of about %d looked at, %.0f rows/s, %s"
        known = max(self.total, 0)
        logger.info(message, self.table, self.changed, self.looked, known, rate, tail)
