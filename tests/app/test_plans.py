"""What a page costs is decided by PostgreSQL's plan, and may not grow with the table.

PostgreSQL plans a prepared statement for its values the first five times, and from then on once
for all values if that looks as cheap; so each statement is looked at under both. What is limited
are the rows and blocks that a plan really touched, which are the same in each run.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from pydantic import BaseModel

from app.db.models import metadata
from app.repositories import posts, users
from app.schemas.posts import PostFilter
from app.schemas.users import UserFilter
from kingpost.database import Database, DatabaseOptions, Query
from kingpost.embedded import EmbeddedPostgres
from kingpost.pagination import Cursors, PageRequest
from kingpost.pagination.cursors import Position, Side, signature
from kingpost.projection import Listing
from kingpost.testing.databases import Databases, execute

LIMIT = 20
MODES = ("force_custom_plan", "force_generic_plan")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
POSTS, USERS = 60_000, 20_000
VETERAN, BUSIEST, QUIET = 1, 2, 50

# One a minute. The veteran wrote the oldest tenth and nothing since, every fourth of the others
# is by the busiest user, the rest by all in turn.
ROWS = (
    f"""
    INSERT INTO users (id, email, name, created_at)
    SELECT md5('user' || n)::uuid, 'user' || n || '@example.org', 'User ' || n,
           '{BEGIN}'::timestamptz + n * interval '1 minute'
    FROM generate_series(1, {USERS}) n
    """,  # noqa: S608 - constants of this file
    f"""
    INSERT INTO posts (id, title, content, author_id, created_at)
    SELECT md5('post' || n)::uuid, 'Post ' || n, repeat('x', 300),
           md5('user' || CASE WHEN n <= {POSTS} / 10 THEN {VETERAN} WHEN n % 4 = 0 THEN {BUSIEST}
                         ELSE 3 + n % ({USERS} - 3) END)::uuid,
           '{BEGIN}'::timestamptz + n * interval '1 minute'
    FROM generate_series(1, {POSTS}) n
    """,  # noqa: S608 - constants of this file
    "VACUUM ANALYZE users",
    "VACUUM ANALYZE posts",
)

CURSORS = Cursors(b"only for tests")
ORDER = (["created_at", True, False], ["id", True, False])

# One more than is shown tells whether there are more; some slack for what is skipped beside it.
MOST_ROWS = 2 * (LIMIT + 1)
# For a row: its own block, one of the index, three for its author.
MOST_BLOCKS = 5 * (LIMIT + 1)


def id_of(kind: str, number: int) -> UUID:
    return UUID(hashlib.md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest())


def minute(number: int) -> datetime:
    return BEGIN + timedelta(minutes=number)


def combinations(**choices: Sequence[object]) -> list[dict[str, object]]:
    """Each filter left out or with one of its values, in all ways."""
    ways = product(*((None, *values) for values in choices.values()))
    return [
        {name: value for name, value in zip(choices, way, strict=True) if value is not None}
        for way in ways
    ]


def times(rows: int) -> dict[str, Sequence[object]]:
    """Bounds that let nearly everything through, so that a plan that relies on one is found."""
    return {"created_since": [minute(10)], "created_until": [minute(rows - 10)]}


def name_of(filters: Mapping[str, object]) -> str:
    names = {id_of("user", n): name for n, name in AUTHORS.items()}
    return " and ".join(names.get(value, name) for name, value in filters.items()) or "all"


AUTHORS = {VETERAN: "of the veteran", BUSIEST: "of the busiest", QUIET: "of a quiet one"}
POST_FILTERS = combinations(author_id=[id_of("user", n) for n in AUTHORS], **times(POSTS))
USER_FILTERS = combinations(is_active=[True], email=["user77@example.org"], **times(USERS))


@dataclass(frozen=True)
class Plan:
    """A plan that ran."""

    mode: str
    told: Mapping[str, Any]

    def check(self) -> None:
        blocks = self.told["Shared Hit Blocks"] + self.told["Shared Read Blocks"]
        touched = max(rows_touched(node) for node in nodes(self.told))
        assert touched <= MOST_ROWS, f"{touched} rows: {self}"
        assert blocks <= MOST_BLOCKS, f"{blocks} blocks: {self}"

    def __str__(self) -> str:
        lines = (
            f"{node['Node Type']} {node.get('Index Name') or node.get('Relation Name') or ''}"
            f" {rows_touched(node)} rows {node.get('Index Cond', '')}"
            for node in nodes(self.told)
        )
        return "\n  ".join((self.mode, *lines))


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def rows_touched(node: Mapping[str, Any]) -> int:
    removed = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
    return round((node["Actual Rows"] + removed) * node["Actual Loops"])


@dataclass
class Explaining:
    """Takes the place of `Database.reads`: has each query explained, then answered."""

    database: Database
    connection: Any

    async def fetch(self, query: Query, values: Mapping[str, Any]) -> Sequence[Any]:
        for plan in await self.plans(query, values):
            plan.check()
        return await self.database.reads.fetch(query, values)

    async def plans(self, query: Query, values: Mapping[str, Any]) -> list[Plan]:
        statement = query.compiled(self.database.direct.driver)
        arguments = ", ".join(literal(value) for value in statement.arguments(values))
        called = f"({arguments})" if arguments else ""
        await self.connection.fetch(f"PREPARE explained AS {statement.sql}")
        found = []
        for mode in MODES:
            await self.connection.fetch(f"SET plan_cache_mode = {mode}")
            rows = await self.connection.fetch(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE explained{called}"
            )
            told = rows[0][0]
            found.append(
                Plan(mode, (json.loads(told) if isinstance(told, str) else told)[0]["Plan"])
            )
        await self.connection.fetch("DEALLOCATE explained")
        return found


def literal(value: object) -> str:
    if isinstance(value, list):
        return f"'{{{','.join(map(str, value))}}}'"
    return f"'{value}'"


@pytest.fixture(scope="session")
def crowded(
    postgres: EmbeddedPostgres, databases: Databases, migrated_template: str
) -> Iterator[str]:
    """The name of a database with many rows, which no test changes."""
    with databases.copy(migrated_template) as name:
        execute(postgres.url(name), *ROWS)
        yield name


@pytest_asyncio.fixture
async def explaining(
    postgres: EmbeddedPostgres, crowded: str, driver: Any
) -> AsyncIterator[Explaining]:
    database = Database(DatabaseOptions(postgres.url(crowded, driver)), metadata=metadata)
    connection = await database.direct.acquire()
    yield Explaining(database, connection)
    database.direct.give_back(connection)
    await database.close()


async def walk(
    explaining: Explaining,
    listing: Listing[Any],
    filters: BaseModel,
    place: tuple[datetime, UUID],
) -> None:
    """Asks for the first page, and for one from the middle on in each of the directions."""
    middle = [CURSORS.write(Position(side, place), signature("list", ORDER)) for side in Side]
    for cursor in (None, *middle):
        await listing.page(
            explaining,  # type: ignore[arg-type] # does what this use of reads needs
            PageRequest(LIMIT, cursor),
            CURSORS,
            query="list",
            filters=filters,
        )


@pytest.mark.parametrize("filters", POST_FILTERS, ids=name_of)
async def test_a_page_of_posts_costs_the_same_at_any_depth(
    explaining: Explaining, filters: dict[str, Any]
) -> None:
    middle = POSTS // 20 if filters.get("author_id") == id_of("user", VETERAN) else POSTS // 2

    await walk(
        explaining, posts.NEWEST, PostFilter(**filters), (minute(middle), id_of("post", middle))
    )


@pytest.mark.parametrize("filters", USER_FILTERS, ids=name_of)
async def test_a_page_of_users_costs_the_same_at_any_depth(
    explaining: Explaining, filters: dict[str, Any]
) -> None:
    middle = USERS // 2

    await walk(
        explaining, users.NEWEST, UserFilter(**filters), (minute(middle), id_of("user", middle))
    )


@pytest.mark.parametrize("author", AUTHORS, ids=AUTHORS.get)
async def test_a_user_is_found_with_the_newest_posts_however_many_there_are(
    explaining: Explaining, author: int
) -> None:
    for lookup in (users.BY_ID, users.BY_ID_WITH_POSTS):
        found = await explaining.fetch(lookup.query.query, {"keys": [id_of("user", author)]})

        assert [str(row[-1]) for row in found] == [str(id_of("user", author))]


async def test_many_users_are_found_at_once_without_reading_the_others(
    explaining: Explaining,
) -> None:
    wanted = [id_of("user", number) for number in range(100, 100 + LIMIT)]

    assert len(await explaining.fetch(users.BY_ID.query.query, {"keys": wanted})) == LIMIT


async def test_a_post_is_found_without_reading_the_others(explaining: Explaining) -> None:
    assert len(await explaining.fetch(posts.BY_ID.query.query, {"keys": [id_of("post", 7)]})) == 1
