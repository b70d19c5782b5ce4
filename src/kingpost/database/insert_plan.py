"""What an insert sends: which columns are given, which the server makes, what the audit shows."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

from sqlalchemy import Column, Select, Table, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstanceState, Mapper
from sqlalchemy.sql import ClauseElement
from uuid_utils.compat import uuid7

from kingpost.database.audit import is_audited, shown_fields
from kingpost.database.guards import SessionMisuse
from kingpost.database.insert_sql import (
    AUDIT_ACTOR,
    AUDIT_CHANGES,
    AUDIT_ID,
    AUDIT_KEY,
    AUDIT_REQUEST_ID,
    AuditShape,
    Shown,
    insert_and_show,
)
from kingpost.database.plain import plain
from kingpost.database.statements import Statement

Values = dict[str, Any]
Who = Mapping[str, str | None]


class Insert:
    """The statement of all inserts that give the same columns and ask for the same answer.

    Args:
        statement: as SQLAlchemy has it.

    Attributes:
        statement: likewise.
    """

    __slots__ = ("_compiled", "statement")

    def __init__(self, statement: Select[str]) -> None:
        self.statement = statement
        self._compiled: Statement | None = None

    def compiled(self, driver: str) -> Statement:
        """The statement as a driver takes it, which is always the same driver."""
        if self._compiled is None:
            self._compiled = Statement(self.statement, driver)
        return self._compiled

    async def in_session(self, session: AsyncSession, values: Values) -> Sequence[Any]:
        """Runs it in a transaction that somebody else ends, and gives its rows."""
        return (await session.execute(self.statement, values)).all()


@dataclass(frozen=True, slots=True)
class _Field:
    """A column of a new row.

    Attributes:
        key: the attribute of the model.
        column: of the table.
        default: makes a value where none is given, as the ORM would.
        by_server: the column is left out where no value is given.
        keeps_none: None is a value like others, such as the `null` of JSON.
        generated: the default counts even where a value is given.
    """

    key: str
    column: Column[Any]
    default: Callable[[], Any] | None
    by_server: bool
    keeps_none: bool
    generated: bool


class InsertPlans:
    """Makes statements for new rows, each once for a model, its given columns and an answer.

    Args:
        audit: the audit table; None leaves no audit rows.
    """

    def __init__(self, audit: Table | None) -> None:
        self._audit = audit
        self._models: dict[type[Any], _Model] = {}
        self._inserts: dict[tuple[type[Any], Shown[Any], tuple[str, ...]], Insert] = {}

    def plan(
        self, entity: object, show: Shown[Any], who: Callable[[], Who]
    ) -> tuple[Insert, Values]:
        """The statement that inserts an object, and the values of its parameters.

        Args:
            entity: of a mapped class, and in no session.
            show: what the statement answers.
            who: gives the columns `actor` and `request_id` of the audit row.

        Returns:
            The same statement for the same given columns.

        Raises:
            SessionMisuse: for what only a session can do.
            TypeError: the entity is no object of a mapped class.
        """
        state: Any = inspect(entity, raiseerr=False)
        if not isinstance(state, InstanceState):
            raise TypeError(f"{entity!r} is no object of a mapped class")
        model = self._models.get(state.class_) or self._add(state.mapper)
        model.refuse_more_than_a_row(state)
        values = model.values(state.dict)
        key = (state.class_, show, tuple(values))
        if (insert := self._inserts.get(key)) is None:
            insert = self._inserts[key] = Insert(model.statement(values, show))
        if model.audit is not None:
            values |= model.audit_values(values, who())
        return insert, values

    def _add(self, mapper: Mapper[Any]) -> "_Model":
        audit = self._audit if is_audited(mapper.class_) else None
        model = self._models[mapper.class_] = _Model(mapper, audit)
        return model


class _Model:
    """What is known of a model before there is an object of it."""

    def __init__(self, mapper: Mapper[Any], audit: Table | None) -> None:
        if mapper.inherits is not None or mapper.polymorphic_on is not None:
            raise SessionMisuse(f"{mapper.class_.__name__} is part of an inheritance: {_INSTEAD}")
        assert isinstance(mapper.local_table, Table)  # noqa: S101 - a declared model has one
        self.mapper = mapper
        self.table = mapper.local_table
        self.audit = audit
        self.relations = tuple(mapper.relationships.keys())
        self.fields = tuple(_fields(mapper))
        self.shown = frozenset(shown_fields(mapper))
        self.key = tuple(mapper.get_property_by_column(c).key for c in mapper.primary_key)

    def refuse_more_than_a_row(self, state: InstanceState[Any]) -> None:
        """Refuses what needs a session: hooks, related objects, an object that is stored."""
        name = self.mapper.class_.__name__
        hooks = self.mapper.dispatch
        if hooks.before_insert or hooks.after_insert:
            raise SessionMisuse(f"{name} has hooks that only a flush runs: {_INSTEAD}")
        if not state.transient:
            raise SessionMisuse(f"this {name} is in a session or stored already")
        for relation in self.relations:
            if state.dict.get(relation):
                raise SessionMisuse(f"{name}.{relation} is set: give its key, or {_INSTEAD}")

    def values(self, given: Mapping[str, Any]) -> Values:
        """The values of the columns that have one, by attribute; None for empty ones."""
        values: Values = {}
        for field in self.fields:
            value = given.get(field.key)
            if field.generated or (value is None and not (field.keeps_none and field.key in given)):
                if field.by_server:
                    continue
                value = None if field.default is None else field.default()
            elif isinstance(value, ClauseElement):
                raise SessionMisuse(f"{field.key} is given as SQL: {_INSTEAD}")
            values[field.key] = value
        return values

    def statement(self, values: Values, show: Shown[Any]) -> Select[str]:
        bound = {field.key: field.column for field in self.fields if field.key in values}
        return insert_and_show(self.table, bound, show, self._audit_shape(values))

    def audit_values(self, values: Values, who: Who) -> Values:
        """What the audit row of an object shows, beside what the server makes."""
        changes = {
            key: plain(value)
            for key, value in values.items()
            if value is not None and key in self.shown
        }
        own = {
            AUDIT_ID: uuid7(),
            AUDIT_ACTOR: who["actor"],
            AUDIT_REQUEST_ID: who["request_id"],
            AUDIT_CHANGES: json.dumps(changes),
        }
        if all(key in values for key in self.key):
            own[AUDIT_KEY] = ",".join(str(plain(values[key])) for key in self.key)
        return own

    def _audit_shape(self, values: Values) -> AuditShape | None:
        if self.audit is None:
            return None
        known = all(key in values for key in self.key)
        made = {
            field.key: field.column
            for field in self.fields
            if field.key not in values and field.key in self.shown
        }
        return AuditShape(self.audit, () if known else self.mapper.primary_key, made)


_INSTEAD = "use a transaction and tx.session.add()"


def _fields(mapper: Mapper[Any]) -> "list[_Field]":
    return [
        _field(mapper, attribute.key, attribute.columns[0])
        for attribute in mapper.column_attrs
        if isinstance(attribute.columns[0], Column) and attribute.columns[0].computed is None
    ]


def _field(mapper: Mapper[Any], key: str, column: Column[Any]) -> _Field:
    generator: Any = mapper.version_id_generator if column is mapper.version_id_col else None
    default = (lambda: generator(None)) if generator else _default(key, column)
    keeps_none = column.type.should_evaluate_none
    return _Field(
        key,
        column,
        default,
        by_server=default is None and (keeps_none or _is_made_by_server(column)),
        keeps_none=keeps_none,
        generated=bool(generator),
    )


def _is_made_by_server(column: Column[Any]) -> bool:
    return (
        column.server_default is not None
        or column.default is not None  # in SQL, or it would have been called
        or column is column.table.autoincrement_column
    )


def _default(key: str, column: Column[Any]) -> Callable[[], Any] | None:
    """The default that Python makes, if there is one."""
    default: Any = column.default
    if default is None or default.is_sequence or default.is_clause_element:
        return None
    if default.is_scalar:
        return lambda: default.arg
    if _asks_for_context(default.arg):
        raise SessionMisuse(f"the default of {key} asks for other columns: {_INSTEAD}")
    return lambda: default.arg(None)


def _asks_for_context(function: Callable[..., Any]) -> bool:
    """SQLAlchemy gives every default a context; the functions that want none are wrapped."""
    try:
        parameters = signature(function).parameters.values()
    except ValueError:  # a type such as dict, which has no signature
        return False
    return any(parameter.default is Parameter.empty for parameter in parameters)
