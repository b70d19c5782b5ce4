"""What readiness asks of a database that goes silent without closing a connection."""

import asyncio
import re
from contextlib import suppress

import pytest
from sqlalchemy import text
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Open, until

from kingpost.database import Database
from kingpost.database.drivers import connecting
from kingpost.problems import Unavailable
from kingpost.server.readiness import Readiness


@pytest.fixture
def library(open_library: Open, proxy: Proxy) -> Database:
    """One that does not wait long for a connection, and longer for a driver's good manners."""
    assert connecting.CANCEL_SECONDS == 2
    return open_library(proxy.url, connect_timeout=0.3)


async def second(library: Database) -> int:
    """Another question, with a transaction."""
    async with library.probes.engine.connect() as connection:
        return int(await connection.scalar(text("SELECT 2")) or 0)


def checks(library: Database, seconds: float = 60) -> Readiness:
    both = {"ping": library.ping, "second": lambda: library.probes.ask(lambda: second(library))}
    return Readiness(both, seconds)


async def test_readiness_is_back_with_the_first_probe_after_the_database_is_back(
    library: Database, proxy: Proxy
) -> None:
    readiness = checks(library)
    assert await readiness.results() == {"ping": "ok", "second": "ok"}
    for _ in range(3):
        proxy.freeze()
        for _ in range(2):  # on the connection that is there, then without one
            assert "ok" not in (await readiness.results()).values()
        proxy.forget()

        assert await readiness.results() == {"ping": "ok", "second": "ok"}


async def test_a_check_that_began_in_the_silence_does_not_make_a_later_probe_fail(
    library: Database, proxy: Proxy
) -> None:
    readiness = checks(library)
    assert await readiness.results() == {"ping": "ok", "second": "ok"}
    proxy.freeze()
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):  # the probe is over and its checks are not
            await readiness.results()
    proxy.forget()

    assert await readiness.results() == {"ping": "ok", "second": "ok"}


async def test_a_silent_database_costs_one_connection_however_often_it_is_asked(
    library: Database, proxy: Proxy
) -> None:
    await library.ping()
    proxy.freeze()
    for made in range(3):
        pings = (library.ping() for _ in range(50))
        answers = await asyncio.gather(*pings, return_exceptions=True)
        assert {type(answer) for answer in answers} == {Unavailable}
        assert proxy.accepted == 1 + made
        await until(lambda: proxy.clients() == 0)
    proxy.forget()
    await asyncio.gather(*(library.ping() for _ in range(50)))
    assert proxy.clients() == 1


async def test_a_question_that_nobody_waits_for_any_more_leaves_no_connection(
    library: Database, proxy: Proxy
) -> None:
    await library.ping()
    proxy.freeze()
    asking = asyncio.create_task(library.ping())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait({asking})
    proxy.forget()

    assert asking.cancelled()
    await library.ping()
    await until(lambda: proxy.clients() == 1)


async def test_a_database_that_goes_silent_while_a_session_is_set_up_is_given_up_at_once(
    library: Database, proxy: Proxy
) -> None:
    proxy.freeze_at = re.compile(b"statement_timeout")
    with pytest.raises(Unavailable, match="cannot be reached"):
        await library.ping()
    proxy.freeze_at = None
    proxy.forget()

    await library.ping()
    await until(lambda: proxy.clients() == 1)
    assert proxy.accepted == 2  # none to cancel anything


async def test_a_question_that_fails_is_no_silence(library: Database) -> None:
    async def wrong() -> None:
        raise ValueError

    asked = (library.probes.ask(wrong), library.ping(), library.probes.ask(lambda: second(library)))
    assert [type(it) for it in await asyncio.gather(*asked, return_exceptions=True)] == [
        ValueError,
        type(None),
        int,
    ]
