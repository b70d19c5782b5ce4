import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Double, Select, Text, cast, column, func, select, table
from sqlalchemy import Integer as SqlInteger
from sqlalchemy.ext.asyncio import AsyncSession
from tests.kingpost.library import Author, Book
from tests.kingpost.support import Open, Outside, Sql

from kingpost.database import Database, Transaction
from kingpost.pagination import Cursors, Key, Page, PageRequest, PreparedList, fetch_page
from kingpost.problems import InvalidCursor

CURSORS = Cursors(b"only for tests")
ROWS = table(
    "rows",
    column("id", SqlInteger),
    column("a", SqlInteger),
    column("b", Text),
    column("c", Double),
)


@pytest_asyncio.fixture
async def rows(own_library_url: str, open_library: Open) -> AsyncIterator[tuple[Database, Sql]]:
    async with Outside(own_library_url) as sql:
        await sql("CREATE TABLE rows (id integer PRIMARY KEY, a integer, b text, c float8)")
        yield open_library(own_library_url), sql


@dataclass
class Walk:
    """Fetches page after page of one query."""

    database: Database
    order: list[Key]
    statement: Select[Any] = field(default_factory=lambda: select(ROWS.c.id))
    query: str = "rows"
    prepared: bool = False

    async def page(self, cursor: str | None = None, limit: int = 3) -> Page[Any]:
        if self.prepared:
            return await self.prepared_page(PageRequest(limit, cursor))

        async def use(session: AsyncSession) -> Page[Any]:
            request = PageRequest(limit, cursor)
            return await fetch_page(
                session, self.statement, self.order, request, CURSORS, self.query
            )

        return await self.database.read(use)

    async def prepared_page(self, request: PageRequest) -> Page[Any]:
        prepared = PreparedList(self.statement, self.order, {})
        return await prepared.page(
            self.database.reads, request, CURSORS, query=self.query, values={}
        )

    async def forward(self, limit: int = 3) -> list[Any]:
        seen, page = [], await self.page(limit=limit)
        seen += page.items
        while page.next:
            page = await self.page(page.next, limit)
            seen += page.items
        return seen

    async def backward(self, limit: int = 3) -> list[Any]:
        """From the end, which is found by walking there."""
        page = await self.page(limit=limit)
        while page.next:
            page = await self.page(page.next, limit)
        seen = page.items
        while page.previous:
            page = await self.page(page.previous, limit)
            seen = page.items + seen
        return seen


ID = Key(ROWS.c.id, "id")
either_way = pytest.mark.parametrize("prepared", [False, True], ids=["session", "prepared"])
keys = st.lists(
    st.tuples(st.sampled_from("abc"), st.booleans()), max_size=3, unique_by=lambda key: key[0]
).flatmap(
    lambda chosen: st.booleans().map(
        lambda descending: [
            *(Key(ROWS.c[name], name, descending=down, nullable=True) for name, down in chosen),
            Key(ROWS.c.id, "id", descending=descending),
        ]
    )
)
data = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 2)),
        st.one_of(st.none(), st.sampled_from(["", "a", "B", "\u00e9"])),
        st.one_of(st.none(), st.sampled_from([-0.5, 0.1, float("inf")])),
    ),
    max_size=14,
)
relaxed = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


async def fill(sql: Sql, content: list[Any]) -> None:
    await sql("TRUNCATE rows")
    for number, (a, b, c) in enumerate(content):
        await sql(
            "INSERT INTO rows VALUES (CAST(:id AS integer), CAST(:a AS integer), CAST(:b AS text), "
            "CAST(:c AS float8))",
            id=number,
            a=a,
            b=b,
            c=c,
        )


async def in_order(sql: Sql, order: list[Key]) -> list[int]:
    by = ", ".join(f"{key.name} {'DESC' if key.descending else 'ASC'}" for key in order)
    return [row[0] for row in await sql(f"SELECT id FROM rows ORDER BY {by}")]  # noqa: S608 - our names


@either_way
@given(order=keys, content=data, limit=st.integers(1, 5))
@relaxed
async def test_walking_either_way_sees_every_row_once_in_order(
    rows: tuple[Database, Sql], order: list[Key], content: list[Any], limit: int, prepared: bool
) -> None:
    database, sql = rows
    await fill(sql, content)
    expected = await in_order(sql, order)
    walk = Walk(database, order, prepared=prepared)

    assert await walk.forward(limit) == expected
    assert await walk.backward(limit) == expected


@given(keys, data, st.integers(1, 4), st.randoms(use_true_random=False))
@relaxed
async def test_rows_that_come_and_go_neither_repeat_nor_hide_others(
    rows: tuple[Database, Sql],
    order: list[Key],
    content: list[Any],
    limit: int,
    chance: random.Random,
) -> None:
    database, sql = rows
    await fill(sql, content)
    walk = Walk(database, order)
    for direction in ("next", "previous"):
        surviving = set(await in_order(sql, order))
        page = await walk.page(limit=limit)
        while direction == "previous" and page.next:
            page = await walk.page(page.next, limit)
        seen = list(page.items)
        while cursor := getattr(page, direction):
            surviving -= await _disturb(sql, chance)
            page = await walk.page(cursor, limit)
            seen += page.items
        assert len(seen) == len(set(seen))
        assert surviving <= set(seen)


async def _disturb(sql: Sql, chance: random.Random) -> set[int]:
    """Deletes a row and inserts another one, anywhere."""
    gone = await sql(
        "DELETE FROM rows WHERE id = (SELECT id FROM rows ORDER BY id OFFSET :n LIMIT 1) "
        "RETURNING id",
        n=chance.randrange(6),
    )
    await sql(
        "INSERT INTO rows VALUES (:id, :a, :b, :c) ON CONFLICT DO NOTHING",
        id=chance.randrange(-100, 100) * 1000 + 999,
        a=chance.randrange(3),
        b=chance.choice("aB"),
        c=0.1,
    )
    return {row[0] for row in gone}


@either_way
async def test_a_page_knows_its_neighbours(rows: tuple[Database, Sql], prepared: bool) -> None:
    database, sql = rows
    await sql("INSERT INTO rows SELECT n FROM generate_series(1, 7) n")
    walk = Walk(database, [ID], prepared=prepared)

    first = await walk.page()
    assert (first.items, first.previous) == ([1, 2, 3], None)
    second = await walk.page(first.next)
    third = await walk.page(second.next)
    assert (second.items, third.items, third.next) == ([4, 5, 6], [7], None)
    back = await walk.page(third.previous)
    assert (back.items, back.next is None) == ([4, 5, 6], False)
    start = await walk.page(back.previous)
    assert (start.items, start.previous) == ([1, 2, 3], None)
    assert (await walk.page(start.next)).items == [4, 5, 6]


async def test_an_empty_result_has_no_neighbours(rows: tuple[Database, Sql]) -> None:
    page = await Walk(rows[0], [ID]).page()
    assert (page.items, page.next, page.previous) == ([], None, None)


@either_way
@pytest.mark.parametrize("spelled_out", [False, True])
async def test_a_page_whose_rows_are_gone_still_leads_back_to_the_others(
    rows: tuple[Database, Sql], spelled_out: bool, prepared: bool
) -> None:
    database, sql = rows
    await sql("INSERT INTO rows SELECT n FROM generate_series(1, 4) n")
    order = [Key(ROWS.c.a, "a", nullable=True), ID] if spelled_out else [ID]
    walk = Walk(database, order, prepared=prepared)
    first = await walk.page()
    await sql("DELETE FROM rows WHERE id = 4")

    empty = await walk.page(first.next)
    assert (empty.items, empty.next) == ([], None)
    assert (await walk.page(empty.previous)).items == [1, 2, 3]

    await sql("INSERT INTO rows VALUES (4)")
    last = await walk.page(first.next)
    await sql("DELETE FROM rows WHERE id < 4")
    empty = await walk.page(last.previous)
    assert (empty.items, empty.previous) == ([], None)
    again = await walk.page(empty.next)
    assert (again.items, again.next) == ([4], None)
    await sql("DELETE FROM rows")
    empty = await walk.page(again.previous)
    assert (await walk.page(empty.next)).items == []


@either_way
async def test_a_cursor_of_another_query_or_order_is_refused(
    rows: tuple[Database, Sql], prepared: bool
) -> None:
    database, sql = rows
    await sql("INSERT INTO rows SELECT n FROM generate_series(1, 7) n")
    cursor = (await Walk(database, [ID]).page()).next

    for other in (
        Walk(database, [ID], query="rows of somebody else", prepared=prepared),
        Walk(database, [Key(ROWS.c.id, "id", descending=True)], prepared=prepared),
        Walk(database, [Key(ROWS.c.a, "a", nullable=True), ID], prepared=prepared),
    ):
        with pytest.raises(InvalidCursor):
            await other.page(cursor)


async def test_entities_and_rows_come_without_the_sort_keys(library: Database) -> None:
    async def create(tx: Transaction) -> None:
        ada = Author(email="ada@example.org")
        tx.session.add_all([Book(title=f"Part {n}", author=ada) for n in range(3)])

    await library.unit_of_work().run(create)
    order = [Key(Book.title, "title", descending=True), Key(Book.id, "id", descending=True)]

    entities = await Walk(library, order, select(Book), "books").page(limit=2)
    assert [book.title for book in entities.items] == ["Part 2", "Part 1"]
    assert all(isinstance(book, Book) for book in entities.items)

    statement = select(Book.title, Author.email.label("by")).join(Book.author)
    page = await Walk(library, order, statement, "titles").page(limit=2)
    assert [tuple(row) for row in page.items] == [
        ("Part 2", "ada@example.org"),
        ("Part 1", "ada@example.org"),
    ]
    assert page.items[0].by == "ada@example.org"


@either_way
async def test_an_expression_such_as_a_rank_can_be_a_sort_key(
    library: Database, prepared: bool
) -> None:
    async def create(tx: Transaction) -> None:
        ada = Author(email="ada@example.org")
        titles = ["sea", "sea sea", "the sea and the sea and the sea", "sky", "a sea", "sea sea "]
        tx.session.add_all([Book(title=title, author=ada) for title in titles])

    await library.unit_of_work().run(create)
    vector = func.to_tsvector("english", Book.title)
    asked = func.websearch_to_tsquery("english", "sea")
    rank = cast(func.ts_rank(vector, asked), Double)
    order = [Key(rank, "rank", descending=True), Key(Book.id, "id", descending=True)]
    statement = select(Book.title).where(vector.bool_op("@@")(asked))
    walk = Walk(library, order, statement, "sea", prepared=prepared)

    found = await walk.forward(limit=1)
    assert len(found) == 5
    assert found[0].count("sea") == 3
    assert await walk.backward(limit=2) == found


@pytest.mark.parametrize("descending", [False, True])
async def test_an_index_finds_the_place(rows: tuple[Database, Sql], descending: bool) -> None:
    from sqlalchemy.dialects import postgresql

    from kingpost.pagination.cursors import Position, Side
    from kingpost.pagination.order import beyond

    _, sql = rows
    await sql("INSERT INTO rows SELECT n, n % 100 FROM generate_series(1, 5000) n")
    await sql("CREATE INDEX ON rows (a, id)")
    await sql("ANALYZE rows")
    await sql("SET enable_seqscan = off")  # the table is too small for an index to pay
    order = [
        Key(ROWS.c.a, "a", descending=descending),
        Key(ROWS.c.id, "id", descending=descending),
    ]
    mixed = [order[0], Key(ROWS.c.id, "id", descending=not descending)]
    for keys_ in (order, mixed):
        condition = beyond(keys_, Position(Side.AFTER, (50, 2500)))
        orderings = [key.ordering(reverse=False) for key in keys_]
        statement = select(ROWS.c.id).where(condition).order_by(*orderings).limit(20)
        compiled = statement.compile(
            dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
        )
        plan = "\n".join(row[0] for row in await sql(f"EXPLAIN {compiled}"))
        assert "Index Cond" in plan, plan
        if keys_ is order:
            assert "ROW(a, id)" in plan, plan


@either_way
async def test_one_page_is_one_statement(
    rows: tuple[Database, Sql], statements: Any, prepared: bool
) -> None:
    walk = Walk(rows[0], [ID], prepared=prepared)
    with statements(1):
        await walk.page()


def test_a_page_has_at_least_one_item() -> None:
    with pytest.raises(ValueError, match="at least one"):
        PageRequest(0)
