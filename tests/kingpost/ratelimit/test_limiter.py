"""So many requests in a window, over several processes, with few statements."""

import asyncio
import re
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
from tests.kingpost.library import RateLimit
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Counts, Open, Sql, until

from kingpost.context import RequestContext, current_request
from kingpost.database import Database
from kingpost.ratelimit import QuotaExceeded, RateLimiter, limiter

HOURS = 36_000
REMAINING = re.compile(rb'"default";r=(\d+);t=(\d+)')

Make = Callable[..., RateLimiter]


@pytest.fixture
def library(open_library: Open, library_url: str) -> Database:
    """One that is waited for, however busy the machine is."""
    return open_library(library_url, acquire_timeout=60)


@pytest.fixture
def events() -> list[str]:
    return []


@pytest.fixture
def make(library: Database, events: list[str]) -> Make:
    """Makes limiters; each is one process, as far as the limit is concerned."""

    def one(limit: int, window: int = HOURS, database: Database = library) -> RateLimiter:
        return RateLimiter(database, RateLimit, limit=limit, window=window, told=events.append)

    return one


async def remaining(limits: RateLimiter, principal: str = "key:1") -> int:
    """Admits a request, and says what is left."""
    headers = dict(await limits.admit(principal))
    found = REMAINING.fullmatch(headers[b"ratelimit"])
    assert found, headers
    return int(found[1])


async def admitted(limits: RateLimiter, times: int, principal: str = "key:1") -> int:
    """How many of so many requests, all at once, are admitted."""

    async def is_admitted() -> bool:
        try:
            await limits.admit(principal)
        except QuotaExceeded:
            return False
        return True

    return sum(await asyncio.gather(*(is_admitted() for _ in range(times))))


async def use_up(limits: RateLimiter) -> None:
    """Sends far more than would be admitted."""
    for _ in range(1000):
        await limits.admit("key:1")


async def until_refused(limits: RateLimiter, principal: str = "key:1") -> None:
    """Asks until the limit holds: the database has answered."""

    async def is_refused() -> bool:
        return await admitted(limits, 1, principal) == 0

    await until(is_refused)


def leases(counts: Counts) -> int:
    return sum("INTO rate_limits" in sql for _, _, sql in counts.statements)


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
async def test_as_many_as_the_limit_are_admitted_and_no_more(make: Make, limit: int) -> None:
    limits = make(limit)

    left = [await remaining(limits) for _ in range(limit)]

    assert left == list(range(limit))[::-1]
    with pytest.raises(QuotaExceeded) as refused:
        await limits.admit("key:1")
    assert refused.value.extensions == {"violated-policies": ["default"]}
    told = refused.value.headers
    assert told["RateLimit-Policy"] == f'"default";q={limit};w={HOURS}'
    assert told["RateLimit"] == f'"default";r=0;t={told["Retry-After"]}'
    assert HOURS - 600 < int(told["Retry-After"]) <= HOURS


async def test_two_principals_do_not_count_together(make: Make) -> None:
    limits = make(3)

    assert await admitted(limits, 5, "key:1") == 3
    assert await admitted(limits, 5, "key:2") == 3


async def test_requests_of_a_lease_cost_no_statement(make: Make, counts: Counts) -> None:
    limits = make(100)

    for _ in range(10):
        await limits.admit("key:1")
    assert leases(counts) == 1
    await limits.admit("key:1")
    assert leases(counts) == 2


async def test_requests_that_come_together_wait_for_one_statement(
    make: Make, counts: Counts
) -> None:
    assert await admitted(make(1000), 100) == 100

    assert leases(counts) == 1


async def test_a_refused_request_costs_no_statement(
    make: Make, counts: Counts, events: list[str]
) -> None:
    limits = make(4)
    assert await admitted(limits, 4) == 4
    asked = leases(counts)

    assert await admitted(limits, 50) == 0
    assert leases(counts) == asked
    assert events.count("refused") == 50
    assert events.count("lease") == asked


async def test_that_nothing_is_left_is_asked_once_by_each_process(
    make: Make, counts: Counts
) -> None:
    assert await admitted(make(4), 9) == 4
    other, asked = make(4), leases(counts)

    assert await admitted(other, 20) == 0
    assert await admitted(other, 20) == 0
    assert leases(counts) == asked + 1


async def test_processes_that_race_grant_no_more_than_the_limit(make: Make) -> None:
    processes = [make(200) for _ in range(3)]

    granted = await asyncio.gather(*(admitted(limits, 150) for limits in processes))

    assert sum(granted) <= 200
    assert sum(granted) >= 180
    assert sum([await admitted(limits, 200) for limits in processes]) == 200 - sum(granted)


async def test_what_is_left_never_grows_within_a_window(make: Make) -> None:
    one, other = make(100), make(100)

    left = []
    for _ in range(25):
        left.append(await remaining(one))
        await other.admit("key:1")

    assert left == sorted(left, reverse=True)
    assert left[-1] < 100 - 25


async def test_who_waits_as_told_is_admitted(make: Make) -> None:
    limits = make(2, window=1)
    other = make(2, window=1)
    for _ in range(3):
        with pytest.raises(QuotaExceeded) as refused:
            await use_up(limits)
        due = monotonic() + int(refused.value.headers["Retry-After"])
        await until(lambda due=due: monotonic() >= due)

        assert await remaining(other) == 1


@pytest.mark.parametrize("way", ["window was longer", "clock was wrong"])
async def test_a_window_that_ends_too_late_is_begun_anew(make: Make, sql: Sql, way: str) -> None:
    assert await admitted(make(3), 5) == 3
    if way == "clock was wrong":
        await sql("UPDATE rate_limits SET ends_at = now() + interval '2 days'")

    limits = make(3, window=60 if way == "window was longer" else HOURS)

    assert await admitted(limits, 5) == 3


async def test_a_lower_limit_holds_at_once(make: Make, sql: Sql) -> None:
    assert await admitted(make(100), 50) == 50

    assert await admitted(make(20), 5) == 0
    assert await sql("SELECT used, granted FROM rate_limits") == [(50, 0)]


async def test_the_last_leases_are_small_so_that_others_can_use_the_rest(make: Make) -> None:
    one, other = make(100), make(100)
    assert await admitted(one, 90) == 90
    await other.admit("key:1")

    assert await admitted(one, 20) == 5


async def test_a_lease_is_no_statement_of_the_request_that_needs_it(
    make: Make, counts: Counts
) -> None:
    request = RequestContext("r-1")
    token = current_request.set(request)
    try:
        await make(10).admit("key:1")
    finally:
        current_request.reset(token)

    assert leases(counts) == 1
    assert request.statements == 0


async def test_a_client_that_leaves_takes_nobodys_lease_along(make: Make, events: Any) -> None:
    limits = make(100)
    leaving = asyncio.create_task(limits.admit("key:1"))
    staying = asyncio.create_task(limits.admit("key:1"))
    await asyncio.sleep(0)  # both wait for the statement
    leaving.cancel()

    assert dict(await staying)
    assert leaving.cancelled()
    assert events == ["lease"]


async def test_principals_are_forgotten_when_there_are_too_many(
    make: Make, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter, "PRINCIPALS", 2)
    limits = make(100)

    for name in "abcb":
        await limits.admit(name)
    assert leases(counts) == 3
    assert await remaining(limits, "a") == 100 - 10 - 1


async def test_behind_pgbouncer_it_counts_in_a_transaction(
    open_library: Open, library_url: str, make: Make
) -> None:
    limits = make(7, database=open_library(library_url, pooler="pgbouncer", acquire_timeout=60))

    assert await admitted(limits, 20) == 7
    assert await admitted(make(7), 1) == 0


async def test_a_connection_that_is_lost_before_its_answer_is_not_noticed(
    open_library: Open, make: Make, proxy: Proxy, events: list[str]
) -> None:
    limits = make(1000, database=open_library(proxy.url, acquire_timeout=60))
    await limits.admit("key:1")
    proxy.hold_answers()
    waiting = asyncio.create_task(remaining(limits, "key:2"))
    await proxy.answer_held.wait()
    proxy.cut()
    proxy.let_answers_go()

    # the part that was granted and not heard of is lost
    assert await waiting == 999 - 100
    assert "unchecked" not in events


async def test_a_silent_database_refuses_nobody_that_it_did_not_refuse_before(
    open_library: Open,
    make: Make,
    proxy: Proxy,
    events: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = make(5, database=open_library(proxy.url, acquire_timeout=1))
    await until_refused(limits)
    events.clear()
    proxy.freeze()

    assert await admitted(limits, 1) == 0
    assert await asyncio.gather(*(limits.admit("key:2") for _ in range(20))) == [()] * 20
    assert events.count("unchecked") == 20
    assert "requests are not counted for a second: TimeoutError" in caplog.messages

    proxy.thaw()
    await until_refused(limits, "key:2")


async def test_while_the_database_is_away_it_is_asked_once_a_second(
    open_library: Open, make: Make, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, events: Any
) -> None:
    limits = make(5, database=open_library(proxy.url, acquire_timeout=0.1))
    proxy.freeze()
    monkeypatch.setattr(limiter, "OPEN_SECONDS", HOURS)
    assert await limits.admit("key:1") == ()
    proxy.thaw()

    assert await limits.admit("key:1") == ()
    assert await limits.admit("key:2") == ()
    assert events == ["unchecked"] * 3


async def test_only_windows_that_have_ended_are_purged(make: Make, sql: Sql) -> None:
    limits = make(5)
    for name in ("key:1", "key:2", "key:3"):
        await limits.admit(name)
    await sql("UPDATE rate_limits SET ends_at = now() WHERE principal <> 'key:2'")

    assert await limits.purge(1) == 1
    assert await limits.purge() == 1
    assert await limits.purge() == 0
    assert await sql("SELECT principal FROM rate_limits") == [("key:2",)]
