"""Models, metadata and the migrated database say the same."""

from typing import Any

import pytest
from sqlalchemy import CheckConstraint, MetaData, String, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, mapped_column

from kingpost.database import Database
from kingpost.database.constraints import ConstraintMap
from kingpost.database.models import NAMING_CONVENTION, assert_lazy_raise
from kingpost.project import Project

NULLABLE = text("""
    SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'alembic_version'
""")
CONSTRAINTS = text("""
    SELECT conname FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON oid = indexrelid
    WHERE relnamespace = 'public'::regnamespace AND indisunique
""")


@pytest.fixture(scope="session")
def base(project: Project) -> type[DeclarativeBase]:
    assert project.metadata.tables
    from app.db.base import Base

    return Base


def disagreements(mapper: Mapper[Any]) -> list[str]:
    """Columns whose `nullable` is not what their annotation says."""
    return [
        f"{mapper.class_.__name__}.{attribute.key}: annotation and nullable contradict each other"
        for attribute in mapper.column_attrs
        if says_none(mapper.class_, attribute.key) is not bool(attribute.columns[0].nullable)
    ]


def says_none(model: type[Any], name: str) -> bool | None:
    for owner in model.__mro__:
        if name in vars(owner).get("__annotations__", {}):
            return "None" in str(owner.__annotations__[name])
    return None


async def differences(connection: AsyncConnection, metadata: MetaData) -> list[str]:
    """Columns that may be null in the model or in the database, but not in both."""
    there = {f"{t}.{c}": nullable for t, c, nullable in await connection.execute(NULLABLE)}
    ours = {
        f"{table.name}.{column.name}": bool(column.nullable)
        for table in metadata.tables.values()
        for column in table.columns
    }
    return [
        f"{name}: nullable is {ours.get(name)} in the model, {there.get(name)} in the database"
        for name in sorted(ours.keys() | there.keys())
        if ours.get(name) is not there.get(name)
    ]


async def unknown_constraints(connection: AsyncConnection, metadata: MetaData) -> list[str]:
    """Constraints whose violation could not be traced to a field."""
    known = ConstraintMap(metadata)
    names = (await connection.execute(CONSTRAINTS)).scalars().all()
    return [
        f"{name}: name it by the convention, in the model and in the migration"
        for name in names
        if name != "alembic_version_pkc" and not ((c := known.find(name)) and c.fields)
    ]


def test_a_relationship_never_loads_by_itself(base: type[DeclarativeBase]) -> None:
    assert_lazy_raise(base)


def test_annotations_say_what_may_be_null(base: type[DeclarativeBase]) -> None:
    found = [line for mapper in base.registry.mappers for line in disagreements(mapper)]

    assert not found, "\n".join(found)


async def test_the_database_says_the_same(database: Database, project: Project) -> None:
    async with database.engine.connect() as connection:
        found = await differences(connection, project.metadata)

    assert not found, "\n".join(found)


async def test_every_constraint_leads_to_its_fields(database: Database, project: Project) -> None:
    async with database.engine.connect() as connection:
        found = await unknown_constraints(connection, project.metadata)

    assert not found, "\n".join(found)


def test_every_constraint_of_the_models_has_a_name_and_fields(project: Project) -> None:
    known = ConstraintMap(project.metadata)
    tables = project.metadata.tables.values()
    constraints = [c for table in tables for c in table.constraints]

    assert [c for c in constraints if c.name is None] == []
    assert [name for name in known.names() if not known[name].fields] == []
    assert len(known.names()) >= len(constraints)


class Example(DeclarativeBase):
    metadata = MetaData(naming_convention=dict(NAMING_CONVENTION))


class Wrong(Example):
    __tablename__ = "wrong"
    id: Mapped[int] = mapped_column(primary_key=True)
    forgotten: Mapped[str] = mapped_column(String, nullable=True)
    needless: Mapped[str | None] = mapped_column(String, nullable=False)
    bare = mapped_column(String)


def test_a_column_that_contradicts_its_annotation_is_seen() -> None:
    found = " ".join(disagreements(Wrong.__mapper__))

    assert all(name in found for name in ("forgotten", "needless", "bare"))
    assert "Wrong.id" not in found


async def test_a_migration_without_not_null_is_seen(database: Database, project: Project) -> None:
    async with database.engine.connect() as connection:
        await connection.execute(text("ALTER TABLE users ALTER email DROP NOT NULL"))
        found = await differences(connection, project.metadata)
        await connection.rollback()

    assert found == ["users.email: nullable is False in the model, True in the database"]


async def test_a_constraint_with_another_name_is_seen(database: Database, project: Project) -> None:
    async with database.engine.connect() as connection:
        await connection.execute(text("ALTER TABLE users ADD CONSTRAINT odd CHECK (name <> 'x')"))
        found = await unknown_constraints(connection, project.metadata)
        await connection.rollback()

    assert [line.partition(":")[0] for line in found] == ["odd"]


def test_a_check_names_its_fields() -> None:
    metadata = MetaData(naming_convention=dict(NAMING_CONVENTION))
    table = Wrong.__table__.to_metadata(metadata)
    table.append_constraint(CheckConstraint("forgotten <> ''", name="not_empty"))

    assert ConstraintMap(metadata)["ck_wrong_not_empty"].fields == ("forgotten",)
