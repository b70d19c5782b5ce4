from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.kingpost.library import Author
from tests.kingpost.support import Counts

from kingpost.database import Database, Transaction, UnitOfWork, read_only, transactional
from kingpost.problems import Conflict


class Authors:
    """A service as one would write it."""

    def __init__(self, work: UnitOfWork) -> None:
        self.work = work

    @transactional
    async def create(self, tx: Transaction, email: str, *, name: str | None = None) -> UUID:
        """Makes an author."""
        return await self._create(tx, email, name)

    @transactional
    async def create_two(self, tx: Transaction, first: str, second: str) -> None:
        await self._create(tx, first, None)
        await self._create(tx, second, None)

    @transactional(isolation="REPEATABLE READ")
    async def isolation(self, tx: Transaction) -> Any:
        return await tx.session.scalar(text("SHOW transaction_isolation"))

    @read_only
    async def emails(self, session: AsyncSession, *, name: str | None = None) -> list[str]:
        """Lists emails."""
        query = select(Author.email).order_by(Author.email)
        return list(await session.scalars(query if name is None else query.filter_by(name=name)))

    async def _create(self, tx: Transaction, email: str, name: str | None) -> UUID:
        author = Author(email=email, name=name)
        tx.session.add(author)
        await tx.session.flush()
        return author.id


async def test_a_method_is_a_use_case_without_its_first_argument(library: Database) -> None:
    authors = Authors(library.unit_of_work())

    assert isinstance(await authors.create("ada@example.org", name="Ada"), UUID)
    await authors.create("bob@example.org")
    assert await authors.emails() == ["ada@example.org", "bob@example.org"]
    assert await authors.emails(name="Ada") == ["ada@example.org"]


async def test_use_cases_that_share_a_step_share_the_transaction(library: Database) -> None:
    authors = Authors(library.unit_of_work())

    with pytest.raises(Conflict):
        await authors.create_two("ada@example.org", "ADA@example.org")
    assert await authors.emails() == []


async def test_a_use_case_may_name_its_isolation(library: Database) -> None:
    assert await Authors(library.unit_of_work()).isolation() == "repeatable read"


async def test_a_read_sends_nothing_but_its_statement(library: Database, counts: Counts) -> None:
    authors = Authors(library.unit_of_work())
    await authors.emails()
    counts.statements.clear()
    await authors.emails()
    assert len(counts.statements) == 1


def test_the_methods_keep_their_names_and_docstrings() -> None:
    assert Authors.create.__name__ == "create"
    assert Authors.create.__doc__ == "Makes an author."
    assert Authors.emails.__doc__ == "Lists emails."
