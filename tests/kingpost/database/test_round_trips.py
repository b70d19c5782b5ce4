"""How often a change waits for the server; exact, so that no waiting creeps in."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select
from tests.kingpost.database.test_insert import AUTHOR
from tests.kingpost.library import Author
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Open

from kingpost.database import Database, Transaction

Change = Callable[[Database, str], Awaitable[Any]]


async def insert(library: Database, email: str) -> None:
    await library.unit_of_work().insert(Author(email=f"new {email}"), show=AUTHOR)


async def add(library: Database, email: str) -> None:
    async def use(tx: Transaction) -> None:
        tx.session.add(Author(email=f"new {email}"))

    await library.unit_of_work().run(use)


async def update(library: Database, email: str) -> None:
    async def use(tx: Transaction) -> None:
        (await locked(tx, email)).name = email

    await library.unit_of_work().run(use)


async def change_nothing(library: Database, email: str) -> None:
    async def use(tx: Transaction) -> None:
        (await locked(tx, email)).email = email

    await library.unit_of_work().run(use)


async def delete(library: Database, email: str) -> None:
    async def use(tx: Transaction) -> None:
        await tx.session.delete(await locked(tx, email))

    await library.unit_of_work().run(use)


async def delete_where(library: Database, email: str) -> None:
    async def use(tx: Transaction) -> None:
        await tx.delete_where(Author, Author.email == email)

    await library.unit_of_work().run(use)


async def locked(tx: Transaction, email: str) -> Author:
    found = await tx.session.scalars(select(Author).where(Author.email == email).with_for_update())
    return found.one()


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        (insert, ["all in one"]),
        (add, ["BEGIN", "INSERT", "audit", "COMMIT"]),
        (update, ["BEGIN", "SELECT", "UPDATE", "audit", "COMMIT"]),
        (change_nothing, ["BEGIN", "SELECT", "COMMIT"]),
        (delete, ["BEGIN", "SELECT", "its books", "DELETE", "audit", "COMMIT"]),
        (delete_where, ["BEGIN", "DELETE and audit", "COMMIT"]),
    ],
)
async def test_a_change_waits_for_the_server_no_more_often_than_it_has_to(
    open_library: Open, proxy: Proxy, change: Change, sent: list[str]
) -> None:
    library = open_library(proxy.url)
    emails = [f"{number}@example.org" for number in range(9)]
    for email in emails:
        await library.unit_of_work().insert(Author(email=email), show=AUTHOR)
    for email in emails[:-1]:  # until both drivers have prepared every statement
        await change(library, email)
    proxy.round_trips.clear()
    await change(library, emails[-1])
    assert len(proxy.round_trips) == len(sent), proxy.round_trips
