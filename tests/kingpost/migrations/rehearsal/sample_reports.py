"""Reports made by hand, as a rehearsal would give them."""

from dataclasses import replace

from kingpost.migrations.rehearsal.report import (
    Live,
    Lock,
    Opinion,
    Report,
    Revision,
    RoundTrip,
    Sample,
    Statement,
    TrafficError,
    Wait,
)
from kingpost.migrations.rehearsal.verdicts import Verdict

FREE = Statement("CREATE TABLE orders (id bigint)", Verdict.SAFE, place="versions/a1.py:12")
BRIEF = Statement(
    "ALTER TABLE posts ADD COLUMN views bigint",
    Verdict.BRIEF_LOCK,
    reasons=("takes ACCESS EXCLUSIVE on posts, and reads no row under it",),
    place="versions/a1.py:14",
    transaction=1,
    locks=(Lock("posts", "ACCESS EXCLUSIVE", "reads and writes"),),
    started_ms=4.0,
    ended_ms=6.5,
)
UNSAFE = Statement(
    "CREATE INDEX ix_posts_title ON posts (title)",
    Verdict.UNSAFE_LOCK,
    reasons=("reads 10 000 rows of posts while it holds SHARE, which keeps writers waiting",),
    advice='op.create_index_online("ix_posts_title", "posts", ["title"])',
    place="versions/a1.py:17",
    transaction=1,
    locks=(Lock("posts", "SHARE", "writes"),),
    tuples_scanned=10_000,
    waited_ms=84.25,
    started_ms=8.0,
    ended_ms=95.0,
    opinions=(
        Opinion("require-concurrent-index-creation", "locks the table", "confirmed"),
        Opinion("prefer-robust-stmts", "not repeatable", "refuted"),
    ),
)
BREAKS = Statement(
    "ALTER TABLE posts DROP COLUMN body",
    Verdict.BREAKS_APP,
    reasons=("the running version still reads posts.body",),
    errors=(
        TrafficError("42703", 'column "body" does not exist', "SELECT body FROM posts", times=3),
    ),
)
EQUAL = RoundTrip("equal")


def report(*statements: Statement, **fields: object) -> Report:
    """A rehearsal of one revision, whose verdict is its worst statement's unless it is given."""
    worst = max((it.verdict for it in statements), key=lambda it: it.severity, default=Verdict.SAFE)
    values: dict[str, object] = {
        "name": "a1",
        "title": "count the views",
        "verdict": worst,
        "statements": statements,
        "round_trip": EQUAL,
    }
    return several(Revision(**{**values, **fields}))


def several(*revisions: Revision) -> Report:
    return Report(revisions, server="18.4", rows=10_000, seconds=6.24)


def with_live(made: Report) -> Report:
    """The same under live traffic: a dot each millisecond, and writers that waited."""
    statements = made.revisions[0].statements
    times = tuple(
        (index, it.started_ms, it.ended_ms)
        for index, it in enumerate(statements)
        if it.started_ms is not None and it.ended_ms is not None
    )
    samples = [Sample(float(n) - 30, 0.4 + n % 7 / 3, "SELECT * FROM posts") for n in range(160)]
    samples.append(Sample(60.0, 2.0, "SELECT body FROM posts", failed="42703"))
    waits = [
        Wait(f"update {n} of posts", "posts", 10.0 + n * 7, 84.25 - n * 7, 1) for n in range(8)
    ]
    live = Live(times, tuple(waits), tuple(samples), 5021, 1, 84.25, "generated statements")
    return replace(made, live={made.revisions[0].name: live})
