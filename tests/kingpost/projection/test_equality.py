"""The JSON of a projection is the JSON that Pydantic writes for the row."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool
from tests.kingpost.projection.columns import Colour, Level, Sample, SampleRead, Size

from kingpost.projection import Document, Projection

SAMPLE = Projection(SampleRead, Sample)
BIG = 2**63 - 1
# asyncpg stores the very first and the very last datetime as infinities
FIRST = datetime.min.replace(tzinfo=UTC, microsecond=1)
LAST = datetime.max.replace(tzinfo=UTC, microsecond=999_998)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
moments = st.datetimes(
    FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC)
) | st.sampled_from(
    [
        FIRST,
        LAST,
        *(datetime(2026, 11, 22, 4, 15, 0, n, UTC) for n in (0, 1, 100_000, 999_999)),
    ]
)
doubles = st.floats() | st.sampled_from([-0.0, 1e300, 5e-324, 0.1, 1e15, 1e16, 2.0**53])
decimals = st.builds(
    lambda sign, digits, places: Decimal((sign, tuple(map(int, str(digits))), places)),
    st.integers(0, 1),
    st.integers(0, 10**60),
    st.integers(-120, 60),
)
bigints = st.integers(-BIG - 1, BIG)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, max_size=4)


samples = st.fixed_dictionaries(
    {
        "text_": texts,
        "integer_": st.integers(-(2**31), 2**31 - 1),
        "flag_": st.booleans(),
        "double_": doubles,
        "decimal_": st.decimals(-(10**19), 10**19, places=20),
        "key_": st.uuids(),
        "day_": st.dates(),
        "hour_": st.times(),
        "at_": moments,
        "colour_": st.sampled_from(Colour),
        "size_": st.sampled_from(Size),
        "size_of_text": st.sampled_from(Size).map(str),
        "level": st.sampled_from(Level).map(int),
        "kind": st.sampled_from("ab"),
        "anything": json_values,
        "list_": lists(json_values),
        "value": json_values,
        "numbers_": lists(st.none() | bigints),
        "moments_": lists(st.none() | moments),
    },
    optional={
        "varchar": texts,
        "char": texts.map(lambda value: value[:5]),
        "text": texts,
        "smallint": st.integers(-(2**15), 2**15 - 1),
        "flag": st.booleans(),
        "double": doubles,
        "decimal": decimals,
        "money": st.decimals(-(10**9), 10**9, places=2),
        "key": st.uuids(),
        "day": st.dates(),
        "hour": st.times(),
        "at": moments,
        "colour": st.sampled_from(Colour),
        "size": st.sampled_from(Size),
        "object": st.dictionaries(texts, json_values, max_size=3),
        "names": lists(texts),
        "doubles": lists(doubles),
        "sizes": lists(st.sampled_from(Size)),
    },
)
PLAIN: dict[str, Any] = {
    "text_": "\"\\/\b\f\n\r\t\x01\x1f\x7f\u2028\u2029\ufeff😀'%s%%:x$1{}",
    "integer_": 0,
    "flag_": False,
    "double_": float("nan"),
    "decimal_": Decimal("0E-20"),
    "key_": UUID(int=0),
    "day_": date.min,
    "hour_": time(0, 0, 0, 100_000),
    "at_": FIRST,
    "colour_": Colour.red,
    "size_": Size.large,
    "size_of_text": "small",
    "level": 9,
    "kind": "a",
    "anything": None,
    "list_": [],
    "value": None,
    "numbers_": [],
    "moments_": [None],
}


@pytest_asyncio.fixture
async def session(columns_url: str) -> AsyncIterator[AsyncSession]:
    engine = create_async_engine(columns_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with AsyncSession(engine, expire_on_commit=False) as opened:
        yield opened
    await engine.dispose()


async def both_ways(session: AsyncSession, values: dict[str, Any]) -> tuple[str, bytes]:
    """The document of a row, and what Pydantic makes of its object.

    The object is read in UTC, as psycopg has no datetime for the first and last hours elsewhere.
    """
    await session.execute(delete(Sample))
    session.add(Sample(id=1, **values))
    await session.commit()
    session.expunge_all()
    await session.execute(text("SET TimeZone = 'UTC'"))
    row = (await session.execute(select(Sample))).scalar_one()
    by_pydantic = TypeAdapter(SampleRead).dump_json(SampleRead.model_validate(row))
    await session.execute(text("SET TimeZone = 'Asia/Kathmandu'"))
    return (await session.execute(SAMPLE.select())).scalar_one(), by_pydantic


@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(values=samples)
@example(values=PLAIN)
@example(values={**PLAIN, "double": float("-inf"), "doubles": [float("inf"), float("nan"), -0.0]})
@example(values={**PLAIN, "decimal": Decimal("-1.5E-7"), "money": Decimal("-0.01")})
@example(values={**PLAIN, "decimal": Decimal("0.000001"), "money": Decimal("0.00")})
@example(values={**PLAIN, "at": datetime(2026, 11, 22, tzinfo=UTC), "names": ["a,b", '"', "{}"]})
@example(values={**PLAIN, "hour": time(23, 59, 59), "at": LAST})
async def test_a_document_is_what_pydantic_writes(
    session: AsyncSession, values: dict[str, Any]
) -> None:
    document, by_pydantic = await both_ways(session, values)

    expected = json.loads(by_pydantic)
    if expected["decimal"] is not None and "E+" in expected["decimal"]:
        expected["decimal"] = f"{Decimal(expected['decimal']):f}"  # asyncpg's; psycopg has none
    assert json.loads(document) == expected


async def test_a_document_is_read_back_into_its_schema(session: AsyncSession) -> None:
    document, by_pydantic = await both_ways(session, PLAIN | {"double_": 1.5})

    found = Document[SampleRead](document.encode()).read(SampleRead)

    assert found == SampleRead.model_validate_json(by_pydantic)


async def test_a_moment_is_told_in_utc_without_a_fraction_of_zeros(session: AsyncSession) -> None:
    at = [datetime(2026, 11, 22, 4, 15, 0, fraction, UTC) for fraction in (0, 1, 100_000)]

    document, _ = await both_ways(session, PLAIN | {"moments_": at, "at_": at[2]})

    found = json.loads(document)
    assert found["moments_"] == [
        "2026-11-22T04:15:00Z",
        "2026-11-22T04:15:00.000001Z",
        "2026-11-22T04:15:00.100000Z",
    ]
    assert found["at_"] == found["moments_"][2]


async def test_the_ends_of_time_are_the_first_and_the_last_moment(session: AsyncSession) -> None:
    await both_ways(session, PLAIN)
    await session.execute(text("UPDATE samples SET at = 'infinity', at_ = '-infinity'"))

    found = json.loads((await session.execute(SAMPLE.select())).scalar_one())

    assert found["at"] == "9999-12-31T23:59:59.999999Z"
    assert found["at_"] == "0001-01-01T00:00:00Z"
