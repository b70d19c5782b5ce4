"""What SQL cannot give as Pydantic would is refused where the projection is made, by name."""

import enum
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import (
    AfterValidator,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    PlainSerializer,
    PlainValidator,
    RootModel,
    StringConstraints,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from sqlalchemy import (
    ARRAY,
    REAL,
    DateTime,
    Double,
    Float,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Text,
    Time,
    TypeDecorator,
    Uuid,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from kingpost.http.types import Instant
from kingpost.projection import Nested, Projection, ProjectionError, keeps_value


class Base(DeclarativeBase):
    pass


class Reversed(TypeDecorator[str]):
    impl = String
    cache_ok = True


class Colour(enum.Enum):
    red = "red"


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    title: Mapped[str]
    count: Mapped[int]
    flag: Mapped[bool]
    single: Mapped[float] = mapped_column(REAL)
    short: Mapped[float] = mapped_column(Float(24))
    double: Mapped[float] = mapped_column(Double)
    money: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    rough: Mapped[float] = mapped_column(Numeric(8, 2, asdecimal=False))
    made: Mapped[datetime] = mapped_column(DateTime)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    hour: Mapped[Any] = mapped_column(Time(timezone=True))
    wait: Mapped[timedelta] = mapped_column(Interval)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    back: Mapped[str] = mapped_column(Reversed)
    packed: Mapped[UUID] = mapped_column(Uuid(native_uuid=False))
    colour: Mapped[Colour]
    extra: Mapped[Any] = mapped_column(JSONB)
    grid: Mapped[list[Any]] = mapped_column(ARRAY(Integer, dimensions=2))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    box_id: Mapped[int | None] = mapped_column(ForeignKey("boxes.id"))
    box: Mapped["Box | None"] = relationship(lazy="raise", back_populates="things")


class Box(Base):
    __tablename__ = "boxes"

    id: Mapped[int] = mapped_column(primary_key=True)
    things: Mapped[list[Thing]] = relationship(lazy="raise", back_populates="box")


class Inner(BaseModel):
    id: int


class Loop(BaseModel):
    box: "Turn | None"


class Turn(BaseModel):
    things: list[Loop]


def field(type_: Any, name: str) -> type[BaseModel]:
    """A schema with one field."""
    return type("Read", (BaseModel,), {"__annotations__": {name: type_}})


def double(value: Any) -> Any:
    return value * 2


REFUSED: list[tuple[str, Any, str]] = [
    ("name", str, "the column things.name may be NULL, the field may not; add `| None`"),
    ("missing", str, "Thing has no such column or relationship; give an expression (missing=…)"),
    ("metadata", Any, "Thing has no such column"),
    ("title", int, "VARCHAR is not read as int"),
    ("count", str, "INTEGER is not read as str"),
    ("flag", int, "BOOLEAN is not read as int"),
    ("count", Decimal, "INTEGER is not read as decimal"),
    ("money", float, "NUMERIC(8, 2) is not read as float"),
    ("double", Decimal, "DOUBLE PRECISION is not read as decimal"),
    ("rough", Decimal, "it is a float in Python"),
    ("single", float, "the drivers read a REAL differently"),
    ("short", float, "the drivers read a REAL differently"),
    ("made", datetime, "nobody knows its time zone"),
    ("at", NaiveDatetime, "a NaiveDatetime is no moment"),
    ("hour", Any, "TIME WITH TIME ZONE is not read as any"),
    ("wait", timedelta, "an interval has many spellings"),
    ("raw", bytes, "BYTEA is not read as bytes"),
    ("back", str, "Reversed changes the value in Python"),
    ("packed", UUID, "it is kept as text without hyphens"),
    ("colour", str, "'red' of its column is not read as str"),
    ("colour", Literal["blue"], "'red' of its column is not read as literal"),
    ("title", Literal["a", 1], "not all of its values are in VARCHAR"),
    ("extra", Inner, "Pydantic may change model in a JSON column"),
    ("extra", dict[str, int], "Pydantic may change int in a JSON column"),
    ("grid", list[int], "INTEGER[][] is not read as list"),
    ("tags", set[str], "TEXT[] is not read as set"),
    ("tags", list[int], "TEXT is not read as int"),
    ("title", str | int, "VARCHAR is not read as union"),
    ("title", Annotated[str, AfterValidator(double)], "the validator double runs in Python"),
    ("title", Annotated[str, PlainValidator(double)], "the validator double runs in Python"),
    ("title", Annotated[str, PlainSerializer(double)], "a serializer in Python writes it"),
    ("title", Annotated[str, StringConstraints(to_lower=True)], "to_lower changes it in Python"),
    ("title", Annotated[str, Field(exclude_if=bool)], "`exclude_if` decides in Python"),
    ("title", Annotated[list[str], Field()], "VARCHAR is not read as list"),
    ("title", Inner, "VARCHAR is not read as model"),
    ("box", int | None, "Thing.box is a relationship; make the field a schema"),
    ("box", list[Inner], "Thing.box is a relationship; make the field a schema"),
    ("box", Inner, "Thing.box may be missing, the field may not; add `| None`"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "type_", "why"), REFUSED)
def test_a_field_that_sql_cannot_give_is_refused_by_name(name: str, type_: Any, why: str) -> None:
    with pytest.raises(ProjectionError, match=re.escape(f"Read.{name}: {why}")):
        Projection(field(type_, name), Thing)


def test_a_list_without_an_order_is_refused() -> None:
    with pytest.raises(
        ProjectionError, match=r"Read.things: nobody says in which order; give Nest"
    ):
        Projection(field(list[Inner], "things"), Box)


def test_a_schema_within_itself_is_refused() -> None:
    with pytest.raises(ProjectionError, match=r"Turn.things: Loop is within itself"):
        Projection(Loop, Thing)


class Serialized(BaseModel):
    title: str

    @field_serializer("title")
    def shorter(self, value: str) -> str:
        return value[:3]


class Computed(BaseModel):
    title: str

    @computed_field
    def loud(self) -> str:
        return self.title.upper()


class Validated(BaseModel):
    title: str

    @field_validator("title")
    @classmethod
    def shorter(cls, value: str) -> str:
        return value[:3]


class ValidatedAsAWhole(BaseModel):
    title: str

    @model_validator(mode="after")
    def check(self) -> "ValidatedAsAWhole":
        return self


class ReadBefore(BaseModel):
    title: str

    @model_validator(mode="before")
    @classmethod
    def read(cls, value: Any) -> Any:
        return value


class SerializedAsAWhole(BaseModel):
    title: str

    @model_serializer
    def write(self) -> dict[str, str]:
        return {}


class Started(BaseModel):
    title: str

    def model_post_init(self, context: Any) -> None:
        pass


class Stripped(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)

    title: str


class Seconds(BaseModel):
    model_config = ConfigDict(ser_json_temporal="seconds")

    at: Instant


class Labels(BaseModel):
    model_config = ConfigDict(use_enum_values=True)

    colour: Colour


class Path(BaseModel):
    title_: str = Field(validation_alias=AliasPath("title", 0))


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (Serialized, "Serialized.title: a serializer in Python writes it"),
        (Computed, "Computed.loud: Python computes it; give its expression"),
        (Validated, "Validated.title: the validator shorter runs in Python"),
        (ValidatedAsAWhole, "ValidatedAsAWhole: the validator check runs in Python"),
        (ReadBefore, "ReadBefore: the validator read runs in Python"),
        (SerializedAsAWhole, "SerializedAsAWhole: a serializer in Python writes it"),
        (Started, "Started: `model_post_init` runs in Python"),
        (Stripped, "Stripped: str_strip_whitespace in its model_config changes values"),
        (Seconds, "Seconds: ser_json_temporal in its model_config changes values"),
        (Labels, "Labels.colour: the validator "),
        (Path, "Path.title_: Thing has no such column"),
        (RootModel[str], "RootModel[str]: a root model has no members"),
    ],
)
def test_a_schema_with_code_of_its_own_is_refused(schema: Any, why: str) -> None:
    with pytest.raises(ProjectionError, match=re.escape(why)):
        Projection(schema, Thing)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"other": Thing.id}, "Read: it has no field other"),
        ({"title": func.upper(Thing.title)}, "Read.title: nobody knows its type in SQL"),
        ({"title": Thing.count}, "Read.title: INTEGER is not read as str"),
        ({"title": Thing.name}, "Read.title: the column things.name may be NULL"),
        ({"title": Box.id}, "Read.title: Box.id belongs to Box, not to Thing"),
        ({"title": Thing.title + literal_column("x", Text)}, ""),
        ({"title": func.concat(Box.id, type_=Text)}, "Read.title: its expression reads boxes"),
        ({"title": Nested(Thing.box)}, "Read.title: Thing.box is a relationship"),
        ({"title": Nested(Thing.title)}, "Read.title: Thing.title is no relationship"),
    ],
)
def test_an_expression_that_does_not_fit_is_refused(given: dict[str, Any], why: str) -> None:
    if not why:
        Projection(field(str, "title"), Thing, **given)
        return
    with pytest.raises(ProjectionError, match=re.escape(why)):
        Projection(field(str, "title"), Thing, **given)


def test_a_projection_of_another_model_or_schema_does_not_fit_a_relationship() -> None:
    class Shown(BaseModel):
        box: Inner | None

    for wrong in (Projection(Inner, Thing), Projection(field(int, "id"), Box)):
        with pytest.raises(ProjectionError, match=r"Shown.box: its projection shows"):
            Projection(Shown, Thing, box=Nested(Thing.box, projection=wrong))


def test_the_etag_of_a_model_without_a_version_is_refused_with_the_cure() -> None:
    class Drawer(Base):
        __tablename__ = "drawers"
        id: Mapped[int] = mapped_column(primary_key=True)

    class DrawerRead(BaseModel):
        id: int

    with pytest.raises(ProjectionError, match=r"^Drawer has no version, .*: add VersionMixin"):
        Projection(DrawerRead, Drawer).etag(Drawer(id=1))


def test_a_validator_that_is_marked_may_be_passed_by() -> None:
    @keeps_value
    def even(value: int) -> int:
        return value

    class Marked(BaseModel):
        count: Annotated[int, AfterValidator(even)]
        title: str

        @field_validator("title")
        @classmethod
        @keeps_value
        def check(cls, value: str) -> str:
            return value

    assert Projection(Marked, Thing).schema is Marked


def test_json_given_as_an_expression_is_believed() -> None:
    count = select(func.jsonb_build_object("id", 1, type_=JSONB)).scalar_subquery()

    assert Projection(field(Inner, "title"), Thing, title=count).schema
