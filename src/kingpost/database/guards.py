"""Sessions that refuse what is not theirs: commits by a use case, writes by a read."""

import re
from functools import lru_cache
from typing import Any, NoReturn

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.orm import (
    ORMExecuteState,
    Session,
    SessionTransaction,
    UOWTransaction,
    sessionmaker,
)
from sqlalchemy.util.concurrency import in_greenlet

from kingpost.database.audit import Trail

_WRITES = re.compile(
    r"\b(insert\s+into|update|delete\s+from|merge\s+into|truncate|alter|create|drop|grant|copy)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_FAILED = "kingpost.failed"


class SessionMisuse(RuntimeError):
    """The code uses a session in a way that would lose or tear data; a bug, so a 500."""


class WriteSession(Session):
    """The session of a unit of work, which alone ends its transaction."""

    ending = False
    connection_in_use: Connection | None = None
    trail: Trail | None = None

    def commit(self) -> None:
        """Refused: see `UnitOfWork`."""
        self._refuse("commit")

    def rollback(self) -> None:
        """Refused: see `UnitOfWork`."""
        self._refuse("roll back")

    def close(self) -> None:
        """Refused, but to the unit of work itself."""
        if not self.ending:
            self._refuse("close the session")
        super().close()

    def _refuse(self, what: str) -> NoReturn:
        raise SessionMisuse(
            f"a use case may not {what}: its UnitOfWork commits when the use case returns and "
            "rolls back when it raises; for a part that may fail use session.begin_nested()"
        )


def watch_writes(sessions: sessionmaker[WriteSession]) -> None:
    """Lets the sessions of a maker know their connection, and their audit what they flushed.

    Args:
        sessions: makes the sessions of the units of work.
    """

    def begun(session: WriteSession, _: SessionTransaction, connection: Connection) -> None:
        session.connection_in_use = connection

    def flushed(session: WriteSession, _: UOWTransaction) -> None:
        if session.trail is not None:
            session.trail.note(session)

    event.listen(sessions, "do_orm_execute", refuse_sync)
    event.listen(sessions, "after_begin", begun)
    event.listen(sessions, "after_flush", flushed)


class ReadSession(Session):
    """The session of a read: nothing can be added to it and nothing is ever flushed."""

    def add(self, instance: object, *_: Any, **__: Any) -> NoReturn:
        """Refused: see `Database.read`."""
        _refuse_write(f"add {type(instance).__name__}")

    def add_all(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: see `Database.read`."""
        _refuse_write("add objects")

    def delete(self, instance: object) -> NoReturn:
        """Refused: see `Database.read`."""
        _refuse_write(f"delete {type(instance).__name__}")

    def merge(self, instance: object, **_: Any) -> NoReturn:
        """Refused: see `Database.read`."""
        _refuse_write(f"merge {type(instance).__name__}")

    def flush(self, *_: Any, **__: Any) -> None:
        """Refused if there is anything to flush."""
        self.refuse_changes()

    def commit(self) -> NoReturn:
        """Refused: there is nothing to commit."""
        _refuse_write("commit")

    def refuse_changes(self) -> None:
        """Raises if a loaded object was changed: the change would be lost without a word.

        Raises:
            SessionMisuse: naming the class of the object.
        """
        for changed in self.dirty:
            if self.is_modified(changed):
                _refuse_write(f"change {type(changed).__name__}")


def _refuse_write(what: str) -> NoReturn:
    raise SessionMisuse(f"a read may not {what}: use UnitOfWork.run or @transactional")


def refuse_sync(_: ORMExecuteState) -> None:
    """Refuses a statement that nobody awaits; for the event `do_orm_execute`.

    Raises:
        SessionMisuse: if the synchronous session is used directly.
    """
    if not in_greenlet():
        raise SessionMisuse("use the AsyncSession and await it: session.sync_session would block")


def guard_reads(engine: Engine) -> None:
    """Refuses every statement of an engine that writes or locks, hand-written ones included.

    Such a statement on an AUTOCOMMIT connection would be committed by itself.

    Args:
        engine: the engine of the read sessions.
    """

    def check(_connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        if (verb := writing_verb(sql)) is not None:
            _refuse_write(f"send {verb}")

    event.listen(engine, "before_cursor_execute", check)


@lru_cache(maxsize=2048)
def writing_verb(sql: str) -> str | None:
    """The first word in a statement that makes it a writing or locking one.

    Args:
        sql: one statement; its quoted parts do not count.

    Returns:
        Such as `INSERT INTO`, or None for a plain read.
    """
    found = _WRITES.search(_QUOTED.sub("''", sql))
    return None if found is None else " ".join(found[0].upper().split())


def remember_failures(engine: Engine) -> None:
    """Keeps in mind that a statement failed, as PostgreSQL answers COMMIT with ROLLBACK then.

    Neither driver looks at that answer: a use case that swallows an error would otherwise be
    told that its changes are safe when they are gone. A savepoint heals it.

    Args:
        engine: the engine of the units of work.
    """

    def failed(context: ExceptionContext) -> None:
        if (connection := context.connection) is not None and not connection.invalidated:
            failure = context.sqlalchemy_exception or context.original_exception
            connection.info.setdefault(_FAILED, failure)  # later ones only follow from the first

    def healed(connection: Connection, *_: Any) -> None:
        connection.info.pop(_FAILED, None)

    event.listen(engine, "handle_error", failed)
    event.listen(engine, "begin", healed)
    event.listen(engine, "rollback_savepoint", healed)


def swallowed_failure(connection: Connection) -> BaseException | None:
    """The error that aborted the transaction of a connection, if nobody let it through."""
    if connection.invalidated:
        return None
    failure: BaseException | None = connection.info.get(_FAILED)
    return failure
