from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.kingpost.library import Author, Base
from tests.kingpost.support import Counts, Sql

from kingpost.database import (
    Database,
    TimestampsMixin,
    Transaction,
    UuidKeyMixin,
    VersionMixin,
    assert_lazy_raise,
)
from kingpost.problems import Conflict


async def created(library: Database, *emails: str) -> list[Author]:
    async def use(tx: Transaction) -> list[Author]:
        made = []
        for email in emails:
            made.append(Author(email=email))
            tx.session.add(made[-1])
            await tx.session.flush()
        return made

    return await library.unit_of_work().run(use)


async def test_keys_are_uuids_of_version_7_in_the_order_in_which_they_were_made(
    library: Database,
) -> None:
    made = await created(library, *(f"{n}@example.org" for n in range(50)))

    keys = [author.id for author in made]
    assert all(isinstance(key, UUID) and key.version == 7 for key in keys)
    assert keys == sorted(set(keys))


def test_keys_made_within_a_millisecond_are_in_order() -> None:
    from uuid_utils.compat import uuid7

    keys = [uuid7() for _ in range(20_000)]
    assert keys == sorted(set(keys))


async def test_timestamps_are_of_the_database_clock_with_a_zone(
    library: Database, sql: Sql
) -> None:
    ((before,),) = await sql("SELECT clock_timestamp()")
    (author,) = await created(library, "ada@example.org")
    ((after,),) = await sql("SELECT clock_timestamp()")

    assert author.created_at == author.updated_at
    assert author.created_at.utcoffset() == timedelta(0)
    assert before <= author.created_at <= after


async def test_an_update_changes_updated_at_and_version_without_another_select(
    library: Database, counts: Counts
) -> None:
    (author,) = await created(library, "ada@example.org")

    async def rename(tx: Transaction) -> Author:
        found = await tx.session.get_one(Author, author.id)
        counts.statements.clear()
        found.name = "Ada"
        await tx.session.flush()
        assert found.version == 2
        assert found.updated_at > author.updated_at
        assert found.created_at == author.created_at
        assert [sql.split()[0] for _, _, sql in counts.statements] == ["UPDATE"]
        return found

    await library.unit_of_work().run(rename)


async def test_of_two_changes_of_one_version_the_second_conflicts(
    library: Database, sql: Sql
) -> None:
    (author,) = await created(library, "ada@example.org")

    async def rename(tx: Transaction) -> None:
        found = await tx.session.get_one(Author, author.id)
        await sql("UPDATE authors SET name = 'first', version = version + 1")
        found.name = "second"

    with pytest.raises(Conflict, match="somebody else"):
        await library.unit_of_work().run(rename)
    assert await sql("SELECT name, version FROM authors") == [("first", 2)]


def test_the_order_of_the_mixins_makes_no_difference() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class First(UuidKeyMixin, TimestampsMixin, VersionMixin, Other):
        __tablename__ = "first"

    class Second(VersionMixin, TimestampsMixin, UuidKeyMixin, Other):
        __tablename__ = "second"

    class Third(UuidKeyMixin, VersionMixin, Other):
        __tablename__ = "third"

    class Fourth(UuidKeyMixin, TimestampsMixin, Other):
        __tablename__ = "fourth"

    for model in (First, Second, Third):
        assert model.__mapper__.version_id_col is model.__table__.c.version
    for model in (First, Second, Fourth):
        assert model.__mapper__.eager_defaults is True
    assert Fourth.__mapper__.version_id_col is None
    assert [c.name for c in First.__table__.c] == ["id", "created_at", "updated_at", "version"]


def test_a_relationship_that_loads_by_itself_is_named() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class Parent(UuidKeyMixin, Other):
        __tablename__ = "parents"
        children: Mapped[list["Child"]] = relationship(lazy="raise", back_populates="parent")

    class Child(UuidKeyMixin, Other):
        __tablename__ = "children"
        parent_id: Mapped[UUID] = mapped_column(ForeignKey("parents.id"))
        parent: Mapped[Parent] = relationship(back_populates="children")

    with pytest.raises(AssertionError, match=r"Child\.parent$"):
        assert_lazy_raise(Other)
    assert_lazy_raise(Base)
