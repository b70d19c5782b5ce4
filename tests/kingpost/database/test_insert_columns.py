"""Every kind of column, inserted by a session and by one statement: both leave the same."""

import enum
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import (
    ARRAY,
    JSON,
    Computed,
    DateTime,
    Double,
    Enum,
    FetchedValue,
    Identity,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Time,
    TypeDecorator,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import INET, INT4RANGE, JSONB, Range
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.kingpost.database.test_insert import Shown
from tests.kingpost.support import Outside

from kingpost.database import (
    NAMING_CONVENTION,
    AuditEntryMixin,
    Database,
    DatabaseOptions,
    SessionMisuse,
    Transaction,
    UuidKeyMixin,
    VersionMixin,
)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=dict(NAMING_CONVENTION))


class AuditEntry(AuditEntryMixin, Base):
    __tablename__ = "audit_entries"


class Colour(enum.Enum):
    RED = "red"


class Shouted(TypeDecorator[str]):
    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Any) -> str | None:
        return None if value is None else value.upper()

    def process_result_value(self, value: str | None, _: Any) -> str | None:
        return None if value is None else value.lower()


class Given(UuidKeyMixin, VersionMixin, Base):
    """A column of every type whose values Python gives."""

    __tablename__ = "given"
    __audited__ = True
    __audit_secret__ = frozenset({"secret"})

    word: Mapped[str | None] = mapped_column("spelled", String(50))
    number: Mapped[int | None]
    real: Mapped[float | None] = mapped_column(Double)
    exact: Mapped[Decimal | None] = mapped_column(Numeric(20, 4))
    truth: Mapped[bool | None]
    key: Mapped[UUID | None]
    day: Mapped[date | None]
    hour: Mapped[time | None]
    moment: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    local: Mapped[datetime | None]
    span: Mapped[timedelta | None] = mapped_column(Interval)
    colour: Mapped[Colour | None] = mapped_column(Enum(Colour, native_enum=False))
    words: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    notes: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    null: Mapped[Any | None] = mapped_column(JSON)
    range: Mapped[Range[int] | None] = mapped_column(INT4RANGE)
    address: Mapped[Any | None] = mapped_column(INET)
    shouted: Mapped[str | None] = mapped_column(Shouted)
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    secret: Mapped[str | None]
    scalar: Mapped[int] = mapped_column(default=7)
    called: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    in_sql: Mapped[str | None] = mapped_column(default=func.lower("SQL"))
    computed: Mapped[int | None] = mapped_column(Computed("number * 2", persisted=True))


class Made(Base):
    """A column of every type whose values the server makes."""

    __tablename__ = "made"
    __audited__ = True

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    part: Mapped[str] = mapped_column(String, primary_key=True, server_default="a,b")
    word: Mapped[str] = mapped_column(server_default="it's")
    number: Mapped[int] = mapped_column(server_default="7")
    real: Mapped[float] = mapped_column(Double, server_default="0.5")
    exact: Mapped[Decimal] = mapped_column(Numeric(20, 4), server_default="12.30")
    truth: Mapped[bool] = mapped_column(server_default="false")
    key: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    day: Mapped[date] = mapped_column(server_default="2026-11-22")
    hour: Mapped[time] = mapped_column(server_default="01:02:03.5")
    sharp: Mapped[time] = mapped_column(Time, server_default="01:02:03")
    moment: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default="2026-11-22 04:15:00.12+02"
    )
    on_time: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default="2026-11-22 04:15:00+00"
    )
    local: Mapped[datetime] = mapped_column(server_default="2026-11-22 04:15:00")
    words: Mapped[list[str]] = mapped_column(ARRAY(String), server_default="{a,b}")
    notes: Mapped[Any] = mapped_column(JSONB, server_default='{"a": null, "b": [1.5]}')
    empty: Mapped[str | None] = mapped_column(server_default=text("NULL"))
    filled: Mapped[str | None] = mapped_column(server_default="full")
    data: Mapped[bytes] = mapped_column(LargeBinary, server_default=text("'\\x00'"))


VALUES: dict[str, Any] = {
    "word": 'It\'s "quoted" \\ ü',
    "number": -5,
    "real": 0.1,
    "exact": Decimal("12.5"),
    "truth": False,
    "key": uuid4(),
    "day": date(2026, 11, 22),
    "hour": time(1, 2, 3, 500),
    "moment": datetime(2026, 11, 22, 4, 15, tzinfo=UTC),
    "local": datetime(2026, 11, 22, 4, 15, 0, 120000),  # noqa: DTZ001 - a column without a zone
    "span": timedelta(days=1, seconds=2),
    "colour": Colour.RED,
    "words": ["a", "b"],
    "notes": {"a": None, "b": [1, 2.5, {"c": True}]},
    "null": {"a": 1},
    "range": Range(1, 5),
    "address": "10.0.0.1",
    "shouted": "loud",
    "data": b"\x00\xff",
    "secret": "secret",
    "scalar": 8,
    "called": {"a": 1},
}


@pytest_asyncio.fixture
async def world(own_library_url: str) -> AsyncIterator[Database]:
    database = Database(DatabaseOptions(own_library_url), metadata=Base.metadata, audit=AuditEntry)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.close()


async def both(world: Database, one: Base, other: Base, *shown: str) -> list[dict[str, Any]]:
    """The audit rows of one object that a session adds, and of another by one statement."""

    async def add(tx: Transaction) -> None:
        tx.session.add(one)

    async def read(session: AsyncSession) -> list[dict[str, Any]]:
        found = await session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [entry.changes | {"entity_id": entry.entity_id} for entry in found]

    await world.unit_of_work().run(add)
    await world.unit_of_work().insert(other, show=Shown(*shown))
    return await world.read(read)


async def test_what_python_gives_is_stored_and_shown_alike(
    world: Database, own_library_url: str
) -> None:
    by_session, by_insert = await both(world, Given(**VALUES), Given(**VALUES), "id")

    assert by_insert.pop("id") == by_insert.pop("entity_id")
    assert by_session.pop("id") == by_session.pop("entity_id")
    assert by_insert == by_session
    assert by_insert["in_sql"] == "sql"
    assert not {"data", "secret", "computed"} & by_insert.keys()
    await assert_alike(own_library_url, "given", "id")


async def test_empty_values_get_the_same_defaults(world: Database, own_library_url: str) -> None:
    nothing = dict.fromkeys(VALUES)
    by_session, by_insert = await both(world, Given(**nothing), Given(**nothing), "id")

    assert by_insert.keys() == by_session.keys()
    assert (by_insert["scalar"], by_insert["version"]) == (7, 1)
    assert "called" not in by_insert  # None is the null of JSON here, and no reason for a default
    await assert_alike(own_library_url, "given", "id")


async def test_what_is_left_out_gets_the_same_defaults(
    world: Database, own_library_url: str
) -> None:
    by_session, by_insert = await both(world, Given(version=9), Given(version=9), "id")

    assert by_insert.keys() == by_session.keys()
    assert (by_insert["scalar"], by_insert["called"], by_insert["version"]) == (7, {}, 1)
    await assert_alike(own_library_url, "given", "id")


async def test_what_the_server_makes_is_shown_alike(world: Database, own_library_url: str) -> None:
    by_session, by_insert = await both(world, Made(), Made(), "id")

    assert (by_session.pop("entity_id"), by_insert.pop("entity_id")) == ("1,a,b", "2,a,b")
    assert (by_session.pop("id"), by_insert.pop("id")) == (1, 2)
    assert UUID(by_insert.pop("key"))
    by_session.pop("key")
    assert by_insert == by_session
    assert not {"data", "empty"} & by_insert.keys()
    await assert_alike(own_library_url, "made", "id", "key")


async def assert_alike(url: str, table: str, *but: str) -> None:
    """The two rows of a table are equal, as PostgreSQL sees them."""
    async with Outside(url) as sql:
        found = await sql(f"SELECT to_jsonb({table}) - array{list(but)!r} FROM {table}")  # noqa: S608 - names of this module
    assert len(found) == 2
    assert found[0] == found[1]
    assert found[0]


def by_other_columns(context: Any) -> str:
    return str(context.get_current_parameters()["id"])


def unfit(column: Any, **more: Any) -> Any:
    """An object of a model with such a column."""

    class Other(DeclarativeBase):
        metadata = MetaData()

    fields = {"__tablename__": "unfit", "__audited__": True, "field": column, **more}
    return type("Unfit", (UuidKeyMixin, Other), fields)()


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (lambda: mapped_column(Interval, server_default="1 day"), "show a Interval"),
        (lambda: mapped_column(Enum(Colour), server_default="RED"), "show a Enum"),
        (lambda: mapped_column(Shouted, server_default="LOUD"), "show a Shouted"),
        (
            lambda: mapped_column(INT4RANGE, server_default=FetchedValue()),
            "show a INT4RANGE",
        ),
        (lambda: mapped_column(ARRAY(Numeric), server_default="{1}"), "show a ARRAY"),
        (
            lambda: mapped_column(String, default=by_other_columns),
            "default of field asks",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_column_that_one_statement_cannot_do_is_refused_by_name(
    world: Database, column: Any, why: str
) -> None:
    with pytest.raises(SessionMisuse, match=f"(?s)field.*{why}|{why}"):
        await world.unit_of_work().insert(unfit(column()), show=Shown("id"))


async def test_a_model_in_an_inheritance_is_refused(world: Database) -> None:
    kind = mapped_column(String)
    entity = unfit(kind, __mapper_args__={"polymorphic_on": kind, "polymorphic_identity": "x"})
    with pytest.raises(SessionMisuse, match="Unfit is part of an inheritance"):
        await world.unit_of_work().insert(entity, show=Shown("id"))


async def test_what_is_not_mapped_is_refused(world: Database) -> None:
    for given in ("x", Made):
        with pytest.raises(TypeError, match="no object of a mapped class"):
            await world.unit_of_work().insert(given, show=Shown("id"))
