"""How a single value becomes the JSON that Pydantic writes for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    REAL,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Float,
    Integer,
    Interval,
    Numeric,
    String,
    Text,
    Time,
    Uuid,
    case,
    cast,
    func,
    literal_column,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from kingpost.projection.errors import Unfit
from kingpost.projection.schemas import Node
from kingpost.projection.sql import NULL, Part, as_text, text_of

DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has it so
# asyncpg stores the first and the last date and datetime as these
_ENDS_OF_DAYS = {"-infinity": '"0001-01-01"', "infinity": '"9999-12-31"'}
_ENDS_OF_TIME = {
    "-infinity": "0001-01-01T00:00:00Z",
    "infinity": "9999-12-31T23:59:59.999999Z",
}
_SINGLE_PRECISION = 24  # binary digits, the most that `real` has
_DIGITS_OF_A_PLAIN_DECIMAL = 6  # with more after the point Python may write an exponent


@dataclass(frozen=True, slots=True)
class Written:
    """A value as SQL gives it.

    Attributes:
        text: the JSON, NULL for null.
        bare: text is what belongs between the quotes of a JSON string.
    """

    text: ColumnElement[Any]
    bare: bool = False

    def parts(self, *, nullable: bool) -> list[Part]:
        """The JSON, to be put together with the rest.

        Args:
            nullable: the value may be NULL.
        """
        if nullable:
            return [func.coalesce(self._whole(), text_of(NULL), type_=Text)]
        return ['"', self.text, '"'] if self.bare else [self.text]

    def _whole(self) -> ColumnElement[str]:
        text = as_text(self.text)
        return text_of('"') + text + text_of('"') if self.bare else text


def named(type_: TypeEngine[Any]) -> str:
    """A type as PostgreSQL calls it.

    Args:
        type_: of an expression.
    """
    return str(type_.compile(DIALECT))


def string(_: Node, expression: ColumnElement[Any]) -> Written:
    """Text, with the escapes of JSON.

    Args:
        expression: a text, or an enum.
    """
    return Written(func.to_json(expression))


def _as_it_is(_: Node, expression: ColumnElement[Any]) -> Written:
    return Written(expression)


def _boolean(_: Node, expression: ColumnElement[Any]) -> Written:
    return Written(cast(expression, Text))


def _uuid(_: Node, expression: ColumnElement[Any]) -> Written:
    if not getattr(expression.type, "native_uuid", True):
        raise Unfit("it is kept as text without hyphens; make the column Uuid(native_uuid=True)")
    return Written(expression, bare=True)


def _float(_: Node, expression: ColumnElement[Any]) -> Written:
    """JSON has neither NaN nor infinity; PostgreSQL holds NaN for the largest of all."""
    type_ = expression.type
    precision = type_.precision if isinstance(type_, Float) else None
    if isinstance(type_, REAL) or (precision is not None and precision <= _SINGLE_PRECISION):
        raise Unfit("the drivers read a REAL differently; make the column a Double")
    infinity: ColumnElement[float] = literal_column("'Infinity'")
    finite = func.abs(expression) < infinity
    return Written(case((finite, as_text(func.to_json(expression))), else_=text_of(NULL)))


def _decimal(_: Node, expression: ColumnElement[Any]) -> Written:
    type_ = expression.type
    if not isinstance(type_, Numeric) or isinstance(type_, Float) or not type_.asdecimal:
        raise Unfit("it is a float in Python; make the column Numeric(asdecimal=True)")
    if type_.scale is None or type_.scale > _DIGITS_OF_A_PLAIN_DECIMAL:
        return Written(_scientific(expression), bare=True)
    return Written(cast(expression, Text), bare=True)


def _scientific(expression: ColumnElement[Any]) -> ColumnElement[str]:
    """With the exponent that Python writes for what is below 0.000001."""
    plain = cast(expression, Text)
    unsigned = func.ltrim(
        func.replace(func.abs(expression).cast(Text), text_of("."), text_of("")), text_of("0")
    )
    digits = func.coalesce(func.nullif(unsigned, text_of("")), text_of("0"))
    sign = case((expression < literal_column("0"), text_of("-")), else_=text_of(""))
    places = func.length(digits) - func.scale(expression)
    rest = func.substr(digits, literal_column("2"), type_=Text)
    fraction = case((rest != text_of(""), text_of(".") + rest), else_=text_of(""))
    first = func.left(digits, literal_column("1"))
    scientific = func.concat(
        sign, first, fraction, text_of("E"), places - literal_column("1"), type_=Text
    )
    return case((places <= literal_column("-6"), scientific), else_=plain)


def _date(_: Node, expression: ColumnElement[Any]) -> Written:
    ends = ((expression == text_of(end), text_of(day)) for end, day in _ENDS_OF_DAYS.items())
    return Written(case(*ends, else_=as_text(func.to_json(expression))))


def _time(_: Node, expression: ColumnElement[Any]) -> Written:
    if getattr(expression.type, "timezone", False):
        raise Unfit("a time with a time zone is no time of a day; make the column a Time")
    return Written(_with_fraction(cast(expression, Interval), "HH24:MI:SS", ""), bare=True)


def _datetime(node: Node, expression: ColumnElement[Any]) -> Written:
    if node.get("tz_constraint") == "naive":
        raise Unfit("a NaiveDatetime is no moment; make the field an Instant")
    if not getattr(expression.type, "timezone", False):
        raise Unfit("nobody knows its time zone; make the column DateTime(timezone=True)")
    utc = func.timezone(text_of("UTC"), expression)
    finite = _with_fraction(utc, 'YYYY-MM-DD"T"HH24:MI:SS', "Z")
    ends = ((expression == text_of(end), text_of(moment)) for end, moment in _ENDS_OF_TIME.items())
    return Written(func.coalesce(finite, case(*ends), type_=Text), bare=True)


def _with_fraction(expression: ColumnElement[Any], form: str, end: str) -> ColumnElement[str]:
    """Microseconds are six digits, or none at all if they are zero."""
    shown = func.to_char(expression, text_of(f"{form}.US" + (f'"{end}"' if end else "")))
    return func.replace(shown, text_of(f".000000{end}"), text_of(end), type_=Text)


def _literal(node: Node, expression: ColumnElement[Any]) -> Written:
    kind = str if isinstance(expression.type, String) else int
    if any(type(expected) is not kind for expected in node["expected"]):
        raise Unfit(f"not all of its values are in {named(expression.type)}")
    return string(node, expression) if kind is str else _as_it_is(node, expression)


def _members(node: Node, expression: ColumnElement[Any]) -> Written:
    return _literal({"expected": [member.value for member in node["members"]]}, expression)


# by the kind of the value: the types of columns that hold it, and what writes it
WRITERS: dict[str, tuple[Any, Callable[[Node, ColumnElement[Any]], Written]]] = {
    "str": (String, string),
    "int": (Integer, _as_it_is),
    "bool": (Boolean, _boolean),
    "float": (Float, _float),
    "decimal": (Numeric, _decimal),
    "uuid": (Uuid, _uuid),
    "date": (Date, _date),
    "time": (Time, _time),
    "datetime": (DateTime, _datetime),
    "literal": ((String, Integer), _literal),
    "enum": ((String, Integer), _members),
}
