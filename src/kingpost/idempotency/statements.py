"""The SQL of remembered answers."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Delete,
    Interval,
    Select,
    String,
    Table,
    and_,
    bindparam,
    cast,
    delete,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

_STORED = ("request", "fingerprint", "is_sealed", "status", "headers", "body")


def _answer(table: Table) -> tuple[Any, ...]:
    c = table.c
    return c.fingerprint, c.is_sealed, c.status, cast(c.headers, String), c.body


def _is_kept(table: Table) -> Any:
    return and_(
        table.c.principal == bindparam("principal", type_=table.c.principal.type),
        table.c.key_hash == bindparam("key_hash", type_=table.c.key_hash.type),
        table.c.expires_at > func.now(),
    )


def claim(table: Table) -> Select[Any]:
    """Takes the lock of a key, if nobody has it, and looks for its answer.

    Args:
        table: of remembered answers.

    Returns:
        A statement with the parameters `lock`, `principal` and `key_hash` and one row: whether
        the lock was got, and the columns of the answer, NULL without one.
    """
    got = func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger))
    lock = select(got.label("got")).cte("lock")
    kept = lock.outerjoin(table, _is_kept(table))
    return select(lock.c.got, *_answer(table)).select_from(kept)


def look_up(table: Table) -> Select[Any]:
    """Looks for the answer of a key; parameters `principal` and `key_hash`.

    Args:
        table: of remembered answers.
    """
    return select(*_answer(table)).where(_is_kept(table))


def store(table: Table) -> ReturningInsert[Any]:
    """Remembers an answer, in the place of an expired one if there is one.

    Args:
        table: of remembered answers.

    Returns:
        A statement with a parameter for each column and `lifetime`; no row if somebody was
        first.
    """
    expires = func.now() + bindparam("lifetime", type_=Interval)
    given = {name: bindparam(name, type_=table.c[name].type) for name in _STORED}
    row = insert(table).values(
        principal=bindparam("principal", type_=table.c.principal.type),
        key_hash=bindparam("key_hash", type_=table.c.key_hash.type),
        created_at=func.now(),
        expires_at=expires,
        **given,
    )
    replaced = {name: row.excluded[name] for name in (*_STORED, "created_at", "expires_at")}
    return row.on_conflict_do_update(
        index_elements=[table.c.principal, table.c.key_hash],
        set_=replaced,
        where=table.c.expires_at <= func.now(),
    ).returning(table.c.status)


def count_expired(table: Table) -> Select[Any]:
    """How many answers have expired.

    Args:
        table: of remembered answers.
    """
    return select(func.count()).select_from(table).where(table.c.expires_at <= func.now())


def purge(table: Table) -> Delete:
    """Deletes up to `rows` expired answers, but for those that somebody else is deleting.

    Args:
        table: of remembered answers.
    """
    key = (table.c.principal, table.c.key_hash)
    expired = (
        select(*key)
        .where(table.c.expires_at <= func.now())
        .order_by(table.c.expires_at)
        .limit(bindparam("rows", type_=BigInteger))
        .with_for_update(skip_locked=True)
    )
    return delete(table).where(tuple_(*key).in_(expired))
