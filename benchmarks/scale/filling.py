"""Millions of posts, made by PostgreSQL itself in batches that can be watched."""

from pathlib import Path

from benchmarks.lab.postgres import Postgres
from benchmarks.lab.progress import Progress

_BATCH = 50_000
_SQL = Path(__file__).with_name("posts.sql")
_INDEXES = (
    "ix_posts_search",
    "ix_posts_created_at_id",
    "ix_posts_author_id_created_at_id",
)
# A batch reads none of them, and building one from sorted rows takes half the time of growing it.


def fill(postgres: Postgres, *, users: int, posts: int) -> None:
    """Fills the migrated, empty tables of the service.

    The first user wrote a twentieth of the posts.

    Args:
        postgres: the database.
        users: how many users.
        posts: how many posts.
    """
    postgres.seed(users=users, posts=0)
    indexes = [_definition(postgres, name) for name in _INDEXES]
    beginning = postgres.sql(f"SELECT now() - make_interval(secs => {posts})")[0][0]
    batches = range(1, posts + 1, _BATCH)
    progress = Progress(len(batches) + len(indexes) + 1, 5.0)
    _prepare_for_writing(postgres)
    for name in _INDEXES:
        postgres.sql(f"DROP INDEX {name}")
    for first in batches:
        last = min(first + _BATCH - 1, posts)
        progress.next(f"inserting posts {first:,} to {last:,}")
        values = {"users": users, "posts": posts, "from": first, "to": last}
        postgres.script(_SQL, beginning=beginning, **values)
    for name, definition in zip(_INDEXES, indexes, strict=True):
        progress.next(f"building {name}")
        postgres.sql(f"SET maintenance_work_mem = '512MB'; {definition}")
    progress.next("vacuum, analyze, checkpoint")
    for statement in ("VACUUM ANALYZE users", "VACUUM ANALYZE posts", "CHECKPOINT"):
        postgres.sql(statement)
    progress.end()


def _definition(postgres: Postgres, index: str) -> str:
    found = postgres.sql(f"SELECT pg_get_indexdef('{index}'::regclass)")
    return found[0][0]


def _prepare_for_writing(postgres: Postgres) -> None:
    """Lets gigabytes of WAL through without a checkpoint every few seconds."""
    postgres.sql("ALTER SYSTEM SET max_wal_size = '8GB'")
    postgres.sql("SELECT pg_reload_conf()")
