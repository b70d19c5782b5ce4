"""The SQL of an insert: the row, its audit row and the answer in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    Float,
    FromClause,
    Integer,
    Select,
    String,
    Table,
    Time,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import visitors

from kingpost.database.guards import SessionMisuse

D = TypeVar("D")
D_co = TypeVar("D_co", covariant=True)

# parameters of the audit row: no attribute of a model is called like this
AUDIT_ID = "audit-id"
AUDIT_ACTOR = "audit-actor"
AUDIT_REQUEST_ID = "audit-request-id"
AUDIT_KEY = "audit-key"
AUDIT_CHANGES = "audit-changes"

_AS_IT_IS = (String, Integer, Boolean, Uuid, Date, JSON, Float)


class Shown(Protocol[D_co]):
    """What an insert answers; a `kingpost.projection.Projection` is one."""

    def row_of(self, source: FromClause) -> Sequence[ColumnElement[Any]]:
        """What is asked for, from something that has the columns of the model: no JSON type."""
        ...

    def wrap(self, *row: Any) -> D_co:
        """The answer as the caller gets it, from the values of that row."""
        ...


@dataclass(frozen=True, slots=True)
class AuditShape:
    """What the audit row of an insert is made of.

    Attributes:
        table: the audit table.
        key: the columns of the primary key if the server makes one of them; else its text is a
            parameter.
        made_by_server: fields that the audit row shows and the server makes.
    """

    table: Table
    key: Sequence[Any]
    made_by_server: Mapping[str, Column[Any]]


def insert_and_show(
    table: Table, bound: Mapping[str, Column[Any]], show: Shown[Any], audit: AuditShape | None
) -> Select[str]:
    """`WITH made AS (INSERT …), audited AS (INSERT INTO audit …) SELECT answer FROM made`.

    Nothing but `made` sees the new row: all parts of a statement have the same snapshot
    (PostgreSQL, "Data-Modifying Statements in WITH").

    Args:
        table: what a row is added to.
        bound: the columns that have a parameter, by the name of that.
        show: what is answered.
        audit: the audit row; None leaves none.

    Returns:
        A statement with the parameters `bound`, and with those of `audit_values`.
    """
    row = {column: bindparam(name, type_=column.type) for name, column in bound.items()}
    needed = _columns_of(show, table)
    if audit is not None:
        needed |= {*audit.key, *audit.made_by_server.values()}
    returned = [column for column in table.columns if column in needed]
    made = insert(table).values(row).returning(*returned).cte("made")
    answer = select(*show.row_of(made))
    return answer if audit is None else answer.add_cte(_audited(table, made, audit))


def _columns_of(show: Shown[Any], table: Table) -> set[Column[Any]]:
    """The columns that an answer uses, as a row should not carry its search vector around."""
    probe = table.alias()
    used: list[Any] = [
        part
        for shown in show.row_of(probe)
        for part in visitors.iterate(shown)
        if getattr(part, "table", None) is probe
    ]
    return {table.columns[column.key] for column in used}


def _audited(table: Table, made: FromClause, audit: AuditShape) -> Any:
    columns = audit.table.columns
    given: ColumnElement[Any] = cast(bindparam(AUDIT_CHANGES, type_=String), JSONB)
    shown = _made_by_server(made, audit.made_by_server)
    key = [cast(made.c[column.key], String) for column in audit.key]
    row = {
        "id": bindparam(AUDIT_ID, type_=columns["id"].type),
        "actor": bindparam(AUDIT_ACTOR, type_=columns["actor"].type),
        "request_id": bindparam(AUDIT_REQUEST_ID, type_=columns["request_id"].type),
        "action": literal_column("'create'"),
        "entity": literal_column(_quoted(table.name)),
        "entity_id": func.concat_ws(",", *key) if key else bindparam(AUDIT_KEY, type_=String),
        "changes": given if shown is None else given.op("||")(shown),
    }
    source = select(*row.values()).select_from(made)
    return insert(audit.table).from_select(list(row), source, include_defaults=False).cte("audited")


def _made_by_server(made: FromClause, fields: Mapping[str, Column[Any]]) -> Any:
    """A JSON object of what the server made, without what it made empty; None without any."""
    always: list[Any] = []
    whole: list[Any] = []
    empty: ColumnElement[Any] = literal_column("'{}'::jsonb")
    for field, column in fields.items():
        value = made.c[column.key]
        pair: tuple[Any, Any] = (literal_column(_quoted(field)), _plain(value, field))
        if column.nullable:
            whole.append(case((value.is_not(None), func.jsonb_build_object(*pair)), else_=empty))
        else:
            always += pair
    if always:
        whole.append(func.jsonb_build_object(*always))
    return reduce(lambda one, other: one.op("||")(other), whole) if whole else None


def _plain(value: ColumnElement[Any], field: str) -> ColumnElement[Any]:
    """In SQL what `kingpost.database.plain` is in Python.

    Raises:
        SessionMisuse: for a type that would come out differently.
    """
    kind = value.type
    if isinstance(kind, DateTime):
        return _isoformat(value, 'YYYY-MM-DD"T"HH24:MI:SS.US', zone=bool(kind.timezone))
    if isinstance(kind, Time) and not kind.timezone:
        return _isoformat(value, "HH24:MI:SS.US", zone=False)
    if getattr(kind, "asdecimal", False):
        return cast(value, String)  # a JSON number would lose its digits
    single = kind.item_type if isinstance(kind, ARRAY) else kind
    if isinstance(single, _AS_IT_IS) and not isinstance(single, Enum):
        return value
    raise SessionMisuse(
        f"the server makes {field} of a new row, and one statement cannot show a {kind!r} in "
        "the audit row: give the column a default in Python, or use tx.session.add()"
    )


def _isoformat(value: ColumnElement[Any], template: str, *, zone: bool) -> ColumnElement[Any]:
    """As Python writes it: six digits after the second, or none."""
    at, offset = (
        (func.timezone(literal_column("'UTC'"), value), '"+00:00"') if zone else (value, "")
    )
    text = func.to_char(at, literal_column(_quoted(template + offset)))
    return func.replace(text, literal_column("'.000000'"), literal_column("''"))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
