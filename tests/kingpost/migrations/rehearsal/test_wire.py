"""A connection that is looked after as a pool does it."""

import asyncio

from kingpost.migrations.rehearsal.wire import Wire
from kingpost.testing.databases import execute

END_ALL = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def test_a_transaction_begins_although_its_session_has_just_ended(
    empty_database_url: str,
) -> None:
    wire = await Wire(empty_database_url, "test", {}).open()
    await asyncio.to_thread(execute, empty_database_url, END_ALL)

    await wire.begin()
    await wire.run("CREATE TABLE made (id int)")
    await wire.run("COMMIT")
    await wire.close()

    await asyncio.to_thread(execute, empty_database_url, "DROP TABLE made")
