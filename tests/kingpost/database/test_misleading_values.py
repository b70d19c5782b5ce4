"""Values that read like a failure, or that no driver can send."""

from typing import Any

import pytest
from tests.kingpost.database.test_insert import AUTHOR, add, asked_by
from tests.kingpost.library import Author
from tests.kingpost.support import Counts, Sql

from kingpost.context import RequestContext
from kingpost.database import Database
from kingpost.problems import Conflict, OutcomeUnknown

STALE = ("cached plan must not change result type", "cached statement plan is invalid")


@pytest.mark.parametrize("text", STALE)
@pytest.mark.parametrize("way", ["run", "insert"])
async def test_a_taken_value_that_reads_like_a_stale_plan_is_a_conflict(
    library: Database, sql: Sql, counts: Counts, way: str, text: str
) -> None:
    async def store() -> Any:
        if way == "run":
            return await add(library, Author(email=text))
        return await library.unit_of_work().insert(Author(email=text), show=AUTHOR)

    await store()
    with pytest.raises(Conflict) as refused:
        await store()

    assert [error.pointer for error in refused.value.errors] == ["/body/email"]
    assert (counts.retries, counts.unknown) == ([], 0)
    assert await sql("SELECT count(*) FROM authors") == [(1,)]


async def test_a_value_that_no_driver_can_send_is_not_an_unknown_outcome(
    library: Database, sql: Sql, counts: Counts
) -> None:
    author = Author(email="ada", password=object())  # a bug of the service
    with asked_by(RequestContext("r-1")) as request, pytest.raises(Exception) as failed:  # noqa: PT011 - each driver has its own
        await library.unit_of_work().insert(author, show=AUTHOR)

    assert not isinstance(failed.value, OutcomeUnknown)
    assert (request.committing, request.committed) == (False, False)
    assert (counts.retries, counts.unknown) == ([], 0)
    assert await sql("SELECT count(*) FROM authors") == [(0,)]
