"""Who changed what: an audit row for each change, in the transaction of the change.

The rows are made from what the session flushed, so no use case can forget them. A model opts in
with `__audited__ = True` and names what must not be written down in `__audit_secret__`.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, String, Table, func, inspect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.orm import InstanceState, Mapped, Mapper, Session, mapped_column
from uuid_utils.compat import uuid7

from kingpost.context import current_request
from kingpost.database.audit_sql import insert_rows
from kingpost.database.plain import plain

_Entry = dict[str, Any]


class AuditEntryMixin:
    """The columns of an audit table.

    Attributes:
        id: sorts by time.
        at: when the transaction began, by the clock of the database.
        actor: who, such as `key:018f…`; None for what no request caused.
        request_id: the request, as in the logs.
        action: `create`, `update` or `delete`.
        entity: the table.
        entity_id: the key of the row as text; the parts of a composite one joined by commas.
        changes: `{field: [old, new]}` of an update, else `{field: value}` without empty ones.
    """

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-100)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    actor: Mapped[str | None] = mapped_column(String)
    request_id: Mapped[str | None] = mapped_column(String)
    action: Mapped[str] = mapped_column(String)
    entity: Mapped[str] = mapped_column(String)
    entity_id: Mapped[str] = mapped_column(String)
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB)


def is_audited(model: type[Any]) -> bool:
    """Whether changes of a model leave audit rows."""
    return bool(getattr(model, "__audited__", False))


@lru_cache(maxsize=256)
def shown_fields(mapper: Mapper[Any]) -> tuple[str, ...]:
    """The attributes that an audit row may show: no secrets, no bytes, nothing computed."""
    return tuple(_shown_fields(mapper))


def _shown_fields(mapper: Mapper[Any]) -> Iterator[str]:
    secret = getattr(mapper.class_, "__audit_secret__", ())
    for attribute in mapper.column_attrs:
        column: Any = attribute.columns[0]
        hidden = attribute.key in secret or isinstance(column.type, LargeBinary)
        if not hidden and getattr(column, "computed", None) is None:
            yield attribute.key


def who(actor: str | None, request_id: str | None) -> dict[str, str | None]:
    """Who is written down.

    Args:
        actor: by default the actor of the request.
        request_id: by default the id of the request.

    Returns:
        The columns `actor` and `request_id` of an audit row.
    """
    request = current_request.get()
    return {
        "actor": actor or (request.actor if request else None),
        "request_id": request_id or (request.request_id if request else None),
    }


class Trail:
    """Collects what a session flushes, and writes it as audit rows before the COMMIT.

    Args:
        model: the audit table, with the columns of `AuditEntryMixin`.
        actor: who is written down; by default the actor of the request.
        request_id: likewise; by default the id of the request.
    """

    def __init__(
        self, model: type[Any], *, actor: str | None = None, request_id: str | None = None
    ) -> None:
        self.table: Table = model.__table__
        self._actor = actor
        self._request_id = request_id
        self._entries: list[_Entry] = []

    def note(self, session: Session) -> None:
        """Notes what has just been flushed; called while the history is still there."""
        for instance in session.new:
            self._add("create", instance, _values(inspect(instance)))
        for instance in session.dirty:
            state = inspect(instance)
            if is_audited(type(instance)) and _is_changed(state):
                self._add("update", instance, _differences(state))
        for instance in session.deleted:
            self._add("delete", instance, _values(inspect(instance)))

    @property
    def has_entries(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._entries)

    def write(self, connection: Connection) -> None:
        """Writes all that was noted, as one statement.

        Args:
            connection: of the transaction.
        """
        entries, self._entries = json.dumps(self._entries), []
        sql, is_positional = insert_rows(self.table, connection.dialect)
        values: Any = (entries,) if is_positional else {"entries": entries}
        connection.exec_driver_sql(sql, values)

    def who(self) -> dict[str, str | None]:
        """The columns `actor` and `request_id` of every row of this transaction."""
        return who(self._actor, self._request_id)

    def _add(self, action: str, instance: Any, changes: dict[str, Any]) -> None:
        if not is_audited(type(instance)):
            return
        mapper = inspect(type(instance))
        key = ",".join(str(plain(part)) for part in mapper.primary_key_from_instance(instance))
        self._entries.append(
            self.who()
            | {
                "id": str(uuid7()),
                "action": action,
                "entity": mapper.local_table.name,
                "entity_id": key,
                "changes": changes,
            }
        )


def _values(state: InstanceState[Any]) -> dict[str, Any]:
    loaded = state.dict  # not getattr: an attribute that is not loaded must not be loaded now
    return {
        field: plain(loaded[field])
        for field in shown_fields(state.mapper)
        if loaded.get(field) is not None
    }


def _is_changed(state: InstanceState[Any]) -> bool:
    return any(
        attribute.key in state.committed_state and state.attrs[attribute.key].history.has_changes()
        for attribute in state.mapper.column_attrs
    )


def _differences(state: InstanceState[Any]) -> dict[str, Any]:
    differences: dict[str, Any] = {}
    for field in shown_fields(state.mapper):
        if field not in state.committed_state:  # was not set, so its history is empty
            continue
        history = state.attrs[field].history
        if history.has_changes():
            old, new = (
                plain(part[0]) if part else None for part in (history.deleted, history.added)
            )
            differences[field] = [old, new]
    return differences
