"""A table with a column of every type that a projection can show."""

import enum
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue
from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    BigInteger,
    DateTime,
    Double,
    Enum,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable

from kingpost.database import NAMING_CONVENTION
from kingpost.http.types import Instant
from kingpost.http.types import Text as StorableText


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Colour(enum.Enum):
    red = "R\"'\\é"
    green = 2
    none = None


class Size(enum.StrEnum):
    small = "small"
    large = "large"


class Level(enum.IntEnum):
    low = 1
    high = 9


class Sample(Base):
    """Each column may be NULL; those that end in _ may not."""

    __tablename__ = "samples"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    varchar: Mapped[str | None] = mapped_column(String(100))
    char: Mapped[str | None] = mapped_column(CHAR(5))
    text: Mapped[str | None] = mapped_column(Text)
    text_: Mapped[str] = mapped_column(Text)
    smallint: Mapped[int | None] = mapped_column(SmallInteger)
    integer_: Mapped[int]
    flag: Mapped[bool | None]
    flag_: Mapped[bool]
    double: Mapped[float | None] = mapped_column(Double)
    double_: Mapped[float]
    decimal: Mapped[Decimal | None] = mapped_column(Numeric)
    decimal_: Mapped[Decimal] = mapped_column(Numeric(40, 20))
    money: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    key: Mapped[UUID | None]
    key_: Mapped[UUID]
    day: Mapped[date | None]
    day_: Mapped[date]
    hour: Mapped[time | None]
    hour_: Mapped[time]
    at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    at_: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    colour: Mapped[Colour | None] = mapped_column(Enum(Colour, native_enum=True))
    colour_: Mapped[Colour] = mapped_column(Enum(Colour, native_enum=False))
    size: Mapped[Size | None] = mapped_column(Enum(Size, native_enum=True))
    size_: Mapped[Size] = mapped_column(
        Enum(Size, native_enum=False, values_callable=lambda sizes: [size.value for size in sizes])
    )
    size_of_text: Mapped[str] = mapped_column(Text)
    level: Mapped[int]
    kind: Mapped[str] = mapped_column(Text)
    anything: Mapped[Any] = mapped_column(JSONB)
    object: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    list_: Mapped[list[Any]] = mapped_column(JSON)
    value: Mapped[Any] = mapped_column(JSONB)
    names: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    numbers_: Mapped[list[int | None]] = mapped_column(ARRAY(BigInteger))
    doubles: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    moments_: Mapped[list[datetime | None]] = mapped_column(ARRAY(DateTime(timezone=True)))
    sizes: Mapped[list[Size] | None] = mapped_column(ARRAY(Enum(Size, native_enum=True)))


class SampleRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    varchar: str | None
    char: str | None
    text: str | None = "default"
    text_: StorableText
    smallint: int | None
    integer_: int
    flag: bool | None
    flag_: bool
    double: float | None
    double_: float
    decimal: Decimal | None
    decimal_: Decimal
    money: Decimal | None
    key: UUID | None
    key_: UUID
    day: date | None
    day_: date
    hour: time | None
    hour_: time
    at: Instant | None
    at_: Instant
    colour: Colour | None
    colour_: Colour
    size: Size | None
    size_: str
    size_of_text: Size
    level: Level
    kind: Literal["a", "b"]
    anything: Any
    object: dict[str, Any] | None
    list_: list[Any]
    value: JsonValue
    names: list[str] | None
    numbers_: list[int | None]
    doubles: list[float] | None
    moments_: list[Instant | None]
    sizes: list[Size] | None


def create_tables() -> list[str]:
    """The DDL, as a migration would have it."""
    dialect: Any = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has it so
    types = [f"CREATE TYPE {name} AS ENUM ({values})" for name, values in (
        ("colour", "'red', 'green', 'none'"), ("size", "'small', 'large'"),
    )]  # fmt: skip
    tables = Base.metadata.sorted_tables
    return types + [str(CreateTable(table).compile(dialect=dialect)) for table in tables]
