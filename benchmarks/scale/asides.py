"""What does grow with the data, asked for one by one: searches, and deleting the busiest user."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from statistics import median

from benchmarks.scale.measuring import Side
from benchmarks.scale.places import POSTS, USERS, busiest_user

_TIMES = 5
_WORDS = ("quokka", "ocelot", "badger", "planner")


@dataclass(frozen=True, slots=True)
class Search:
    """A search for one word.

    Attributes:
        word: that was searched for.
        found: how many posts have it.
        status: of the answers.
        seconds: median of the answers.
        postgres_cpu: CPU seconds of PostgreSQL for one answer, the mean.
    """

    word: str
    found: int
    status: int
    seconds: float
    postgres_cpu: float


@dataclass(frozen=True, slots=True)
class Deletion:
    """`DELETE /users/{id}` of the busiest user.

    Attributes:
        posts: how many posts the user has.
        status: of the answer.
        seconds: until it came.
        deleted: how many rows are in the audit as deleted afterwards.
        statement_timeout: the limit of a statement, in seconds.
        statement_seconds: of the one statement that deletes the posts and writes their audit
            rows, without any limit and rolled back.
    """

    posts: int
    status: int
    seconds: float
    deleted: int
    statement_timeout: float
    statement_seconds: float


def searches(side: Side) -> list[Search]:
    """Searches for words of which few or many posts are found, one request at a time."""
    return [_search(side, word) for word in _WORDS]


def _search(side: Side, word: str) -> Search:
    condition = f"search @@ websearch_to_tsquery('english', '{word}')"
    found = side.postgres.sql(f"SELECT count(*) FROM posts WHERE {condition}")[0][0]
    path = f"{POSTS}?q={word}&limit=20"
    _ask(side, "GET", path)
    before = side.postgres.cpu_seconds()
    answers = [_ask(side, "GET", path) for _ in range(_TIMES)]
    cpu = (side.postgres.cpu_seconds() - before) / _TIMES
    return Search(
        word,
        int(found),
        max(status for status, _ in answers),
        median(seconds for _, seconds in answers),
        cpu,
    )


def delete_busiest(side: Side, statement_timeout: float) -> Deletion:
    """Deletes the user who wrote a twentieth of all posts, as a client does."""
    user = busiest_user(side.postgres)
    posts = int(side.postgres.sql(f"SELECT count(*) FROM posts WHERE author_id = '{user}'")[0][0])
    statement_seconds = _statement_seconds(side, user)
    status, seconds = _ask(side, "DELETE", f"{USERS}/{user}")
    deleted = int(side.postgres.sql("SELECT count(*) FROM audit WHERE action = 'delete'")[0][0])
    return Deletion(posts, status, seconds, deleted, statement_timeout, statement_seconds)


def _statement_seconds(side: Side, user: str) -> float:
    """The time of what `Transaction.delete_where` sends."""
    started = time.monotonic()
    side.postgres.sql(
        f"""
        BEGIN;
        WITH gone AS (
            DELETE FROM posts WHERE author_id = '{user}'
            RETURNING id, title, content, author_id, created_at, updated_at, version
        )
        INSERT INTO audit (id, actor, action, entity, entity_id, changes)
        SELECT gen_random_uuid(), 'benchmark', 'delete', 'posts', id,
               jsonb_strip_nulls(jsonb_build_object(
                   'id', id, 'title', title, 'content', content, 'author_id', author_id,
                   'created_at', created_at, 'updated_at', updated_at, 'version', version))
        FROM gone;
        ROLLBACK
        """
    )
    return time.monotonic() - started


def _ask(side: Side, method: str, path: str) -> tuple[int, float]:
    """The status of an answer, and the seconds until it was there."""
    contender = side.contender
    connection = HTTPConnection("127.0.0.1", contender.server.port, timeout=60)
    started = time.monotonic()
    try:
        connection.request(method, path, headers={**contender.headers, "If-Match": "*"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.monotonic() - started
    finally:
        connection.close()


def is_unbroken(searched: Sequence[Search]) -> bool:
    """Whether all searches were answered."""
    return all(search.status == 200 for search in searched)
