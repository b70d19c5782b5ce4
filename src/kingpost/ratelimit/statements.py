"""The SQL of rate limits."""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Delete,
    Float,
    Integer,
    Interval,
    Table,
    bindparam,
    case,
    cast,
    delete,
    extract,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

_SHARES = 10
_SKEW = timedelta(minutes=1)


def lease(table: Table, *, limit: int, window: timedelta) -> ReturningInsert[Any]:
    """Takes a part of what a principal has left, in one statement.

    A part is a tenth of the limit, or half of what is left if that is less, so that two processes
    that share a principal can both use nearly all of it. All of the statement has one `now()`. A
    statement that has waited for another one sees a window that began after its own `now()`, and
    takes its part of that.

    Args:
        table: of rate limits.
        limit: requests of a principal in a window.
        window: how long one is.

    Returns:
        A statement with the parameter `principal` and one row: the requests that are granted, 0
        if none is left; what is left then; seconds until the window ends.
    """
    share = max(1, limit // _SHARES)
    first = min(share, max(1, limit // 2))
    now = func.now()
    row = insert(table).values(
        principal=bindparam("principal", type_=table.c.principal.type),
        ends_at=now + bindparam("window", window, type_=Interval),
        used=first,
        granted=first,
    )
    kept, new = table.c, row.excluded
    # one that ends later than any window can is of another setting, or of a clock that was wrong
    latest = now + bindparam("latest", 2 * window + _SKEW, type_=Interval)
    is_over = or_(kept.ends_at <= now, kept.ends_at > latest)
    free = func.greatest(limit - kept.used, 0, type_=Integer)
    granted = func.least(free, share, func.greatest(free // 2, 1), type_=Integer)
    upsert = row.on_conflict_do_update(
        index_elements=[kept.principal],
        set_={
            "ends_at": case((is_over, new.ends_at), else_=kept.ends_at),
            "used": case((is_over, new.used), else_=kept.used + granted),
            "granted": case((is_over, new.granted), else_=granted),
        },
    )
    return upsert.returning(kept.granted, free, cast(extract("epoch", kept.ends_at - now), Float))


def purge(table: Table) -> Delete:
    """Deletes up to `rows` windows that have ended, but for those that somebody else holds.

    Args:
        table: of rate limits.
    """
    ended = (
        select(table.c.principal)
        .where(table.c.ends_at <= func.now())
        .limit(bindparam("rows", type_=BigInteger))
        .with_for_update(skip_locked=True)
    )
    return delete(table).where(table.c.principal.in_(ended))
