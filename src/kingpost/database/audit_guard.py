"""Changes of audited rows that no audit row would show are refused."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Delete, Insert, TextClause, Update, delete, inspect
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState

from kingpost.database.audit import Trail, is_audited, shown_fields
from kingpost.database.audit_sql import delete_and_record
from kingpost.database.guards import SessionMisuse

_OPT_OUT = "audited"
_TARGET = re.compile(
    r"\b(?:insert\s+into|update|delete\s+from|merge\s+into|truncate(?:\s+table)?)\s+"
    r'(?:only\s+)?(?:"?\w+"?\.)?"?(\w+)',
    re.IGNORECASE,
)


class AuditGuard:
    """Knows which tables are audited and refuses to change their rows past the session.

    Args:
        audit: the audit model; its registry knows the other models.
    """

    def __init__(self, audit: type[Any]) -> None:
        self._registry = inspect(audit).registry
        self._tables: frozenset[str] | None = None

    def check(self, state: ORMExecuteState) -> None:
        """For the event `do_orm_execute`.

        Raises:
            SessionMisuse: for a bulk statement on an audited table, unless it has the execution
                option `audited=False`.
        """
        table = self._changed_table(state.statement)
        if table is not None and state.execution_options.get(_OPT_OUT, True):
            raise SessionMisuse(
                f"a bulk change of {table} would leave no audit rows: change its objects through "
                "the session, use tx.delete_where(), or say execution_options(audited=False)"
            )

    def _changed_table(self, statement: Any) -> str | None:
        if isinstance(statement, Insert | Update | Delete):
            name = getattr(statement.table, "name", None)
            return name if name in self._audited() else None
        if isinstance(statement, TextClause):
            changed = {name.lower() for name in _TARGET.findall(statement.text)}
            return min(self._audited() & changed, default=None)
        return None

    def _audited(self) -> frozenset[str]:
        if self._tables is None:
            self._tables = frozenset(
                mapper.local_table.name
                for mapper in self._registry.mappers
                if is_audited(mapper.class_)
            )
        return self._tables


async def delete_where(
    session: AsyncSession,
    trail: Trail | None,
    model: type[Any],
    conditions: Sequence[ColumnElement[bool]],
) -> int:
    """Deletes rows in one statement, with their audit rows if the model is audited.

    Args:
        session: of the transaction.
        trail: the audit of the transaction, if there is one.
        model: the mapped class.
        conditions: which rows; at least one.

    Returns:
        How many rows were deleted.

    Raises:
        ValueError: without a condition, as that would empty the table.
    """
    if not conditions:
        raise ValueError("delete_where needs a condition")
    if trail is None or not is_audited(model):
        statement: Any = delete(model).where(*conditions)
    else:
        statement = _recorded(trail, model, conditions)
    options = {"synchronize_session": False, "preserve_rowcount": True}
    result = await session.execute(statement, execution_options=options)
    assert isinstance(result, CursorResult)  # noqa: S101 - DML gives nothing else
    return result.rowcount


def _recorded(trail: Trail, model: type[Any], conditions: Sequence[ColumnElement[bool]]) -> Any:
    mapper = inspect(model)
    return delete_and_record(
        mapper.local_table,
        audit=trail.table,
        shown=[mapper.column_attrs[field].columns[0] for field in shown_fields(mapper)],
        key=mapper.primary_key,
        conditions=conditions,
        who=trail.who(),
    )
