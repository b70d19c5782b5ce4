"""Columns that are called as something else is in an insert of one statement."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped
from tests.kingpost.database.test_insert import Shown
from tests.kingpost.support import Outside

from kingpost.database import (
    NAMING_CONVENTION,
    AuditEntryMixin,
    Database,
    DatabaseOptions,
    UuidKeyMixin,
)

NAMES = ("audit_id", "audit_actor", "audit_request_id", "audit_changes", "audit_key")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=dict(NAMING_CONVENTION))


class AuditEntry(AuditEntryMixin, Base):
    __tablename__ = "audit_entries"


class Finding(UuidKeyMixin, Base):
    """What an auditor has found."""

    __tablename__ = "findings"
    __audited__ = True

    audit_id: Mapped[str]
    audit_actor: Mapped[str]
    audit_request_id: Mapped[str]
    audit_changes: Mapped[str]
    audit_key: Mapped[str]


@pytest_asyncio.fixture(params=["none", "pgbouncer"])
async def world(own_library_url: str, request: Any) -> AsyncIterator[Database]:
    """The second sends the same statement through SQLAlchemy."""
    options = DatabaseOptions(own_library_url, pooler=request.param)
    database = Database(options, metadata=Base.metadata, audit=AuditEntry)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.close()


async def test_columns_that_are_called_like_those_of_an_audit_row_keep_their_values(
    world: Database, own_library_url: str
) -> None:
    given = {name: f"the {name}" for name in NAMES}
    work = world.unit_of_work(actor="cli", request_id="r-1")

    shown = await work.insert(Finding(**given), show=Shown("id", *NAMES))

    async with Outside(own_library_url) as sql:
        [stored] = await sql(f"SELECT {', '.join(NAMES)} FROM findings")  # noqa: S608 - names of this module
    assert dict(zip(NAMES, stored, strict=True)) == given

    async def entry(session: AsyncSession) -> AuditEntry:
        return (await session.scalars(select(AuditEntry))).one()

    audited = await world.read(entry)
    assert (audited.actor, audited.request_id) == ("cli", "r-1")
    assert audited.entity_id == shown["id"]
    assert audited.changes == shown
