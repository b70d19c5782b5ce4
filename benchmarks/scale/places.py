"""What is asked for: the same requests at different places of the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from benchmarks.lab.postgres import Postgres
from benchmarks.lab.wrk import Request
from benchmarks.service.contenders import SECRET
from kingpost.pagination import Cursors
from kingpost.pagination.cursors import Position, Side, signature
from kingpost.security import derive

POSTS, USERS = "/api/v1/posts", "/api/v1/users"
LIMIT = 20
SECOND = LIMIT + 1  # the first depth that needs a cursor
PAGES = 200  # that follow each other from a place on; one is taken at random
_ORDER = (["created_at", True, False], ["id", True, False])
_CURSORS = Cursors(derive(SECRET, "cursors"))


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request.

    Attributes:
        name: what it asks for, without a place.
        depth: the number of the row it begins at; 0 where that means nothing.
        requests: taken from at random.
        first: id of the first post in the answer to the first request, where there are posts.
    """

    name: str
    depth: int
    requests: Sequence[Request]
    first: str | None = None

    @property
    def title(self) -> str:
        """Name and place."""
        if not self.depth:
            return self.name
        depth = f"{self.depth:,}".replace(",", " ")
        return f"{self.name}, depth {depth}"


@dataclass(frozen=True, slots=True)
class Posts:
    """A list of posts, newest first.

    Attributes:
        name: what is listed.
        path: of the route.
        where: the rows as a condition in SQL.
        filters: the query parameters that mean the same.
    """

    name: str
    path: str
    where: str
    filters: Mapping[str, str] = field(default_factory=dict)

    def at(self, postgres: Postgres, depth: int) -> Case:
        """The page whose first row is number `depth`, and those after it, as far as there are.

        The first page is asked for without a cursor, the others with the cursor that the page
        before them shows as `next`.
        """
        if depth == 1:
            first = self._rows(postgres, 0, 1)[0]
            return Case(self.name, 1, [self._request(None)], first[1])
        rows = self._rows(postgres, depth - 2, PAGES * LIMIT)
        requests = [self._request(_cursor(self._query, row)) for row in rows[:-LIMIT:LIMIT]]
        return Case(self.name, depth, requests, rows[1][1])

    def _rows(self, postgres: Postgres, offset: int, count: int) -> list[list[str]]:
        return postgres.sql(
            f"SELECT created_at, id FROM posts WHERE {self.where} "
            f"ORDER BY created_at DESC, id DESC OFFSET {offset} LIMIT {count}"
        )

    @property
    def _query(self) -> str:
        return f"{self.path}?{urlencode(sorted(self.filters.items()))}"

    def _request(self, cursor: str | None) -> Request:
        place = {} if cursor is None else {"cursor": cursor}
        parts = {**self.filters, "limit": str(LIMIT), **place}
        return Request("GET", f"{self.path}?{urlencode(parts)}")


def _cursor(query: str, row: Sequence[str]) -> str:
    """As the service writes it; `check` compares."""
    place = (datetime.fromisoformat(row[0]), UUID(row[1]))
    return _CURSORS.write(Position(Side.AFTER, place), signature(query, _ORDER))


def all_posts() -> Posts:
    """The list without filters."""
    return Posts("page of all posts", POSTS, "true")


def busiest_user(postgres: Postgres) -> str:
    """The id of the user who wrote a twentieth of the posts."""
    return postgres.sql("SELECT id FROM users ORDER BY id LIMIT 1")[0][0]


def cases(postgres: Postgres, *, posts: int) -> list[Case]:
    """All kinds of requests, for a database of some size.

    Args:
        postgres: filled and analyzed.
        posts: how many there are.

    Returns:
        The cases, each list at depth 1 and on its second page first.
    """
    users = [row[0] for row in postgres.sql("SELECT id FROM users ORDER BY random() LIMIT 2000")]
    busiest = busiest_user(postgres)
    of_busiest = posts // 20
    deep = of_busiest * 9 // 10
    return [
        Case("one user", 0, [Request("GET", f"{USERS}/{user}") for user in users]),
        Case("busiest user with posts", 0, [Request("GET", f"{USERS}/{busiest}?include=posts")]),
        Case(
            "posts by author_id, any author",
            0,
            [Request("GET", f"{POSTS}?author_id={user}&limit={LIMIT}") for user in users],
        ),
        *_at(postgres, all_posts(), {10_000, posts // 2}),
        *_at(postgres, _of_busiest(busiest), {deep}),
        *_at(postgres, _filtered_by_author(busiest), {deep}),
        *_at(postgres, _window(postgres), {posts // 4}),
    ]


def _at(postgres: Postgres, listed: Posts, depths: set[int]) -> list[Case]:
    return [listed.at(postgres, depth) for depth in sorted({1, SECOND, *depths})]


def _of_busiest(user: str) -> Posts:
    return Posts("posts of the busiest user", f"{USERS}/{user}/posts", f"author_id = '{user}'")


def _filtered_by_author(user: str) -> Posts:
    filters = {"author_id": user}
    return Posts("posts by author_id, the busiest", POSTS, f"author_id = '{user}'", filters)


def _window(postgres: Postgres) -> Posts:
    """The middle half of all posts, by time."""
    shown = """to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
    quarters = "min(created_at) + (max(created_at) - min(created_at)) * quarter / 4 AS at"
    since, until = (
        postgres.sql(f"SELECT {shown} FROM (SELECT {quarters.replace('quarter', n)} FROM posts) s")[
            0
        ][0]
        for n in ("1", "3")
    )
    return Posts(
        "posts between two times",
        POSTS,
        f"created_at >= '{since}' AND created_at < '{until}'",
        {"created_since": since, "created_until": until},
    )
