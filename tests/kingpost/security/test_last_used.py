import asyncio
import time
from collections.abc import Mapping
from inspect import signature
from uuid import UUID, uuid4

from tests.kingpost.support import until

from kingpost.security import LastUsed

ADA, GRACE = uuid4(), uuid4()


class Store:
    """Remembers when keys were used, as it was told; the first writes can fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.written: list[Mapping[UUID, float]] = []

    async def __call__(self, ages: Mapping[UUID, float]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError
        now = time.monotonic()
        self.written.append({key: now - age for key, age in ages.items()})


def test_it_is_written_once_a_minute_at_most() -> None:
    assert signature(LastUsed).parameters["interval"].default == 60


async def test_many_uses_of_many_keys_are_one_write() -> None:
    store = Store()
    last_used = LastUsed(store)
    for _ in range(50):
        last_used.touch(ADA)
        last_used.touch(GRACE)
    assert store.written == []

    await last_used.flush()
    await last_used.flush()
    assert [set(moments) for moments in store.written] == [{ADA, GRACE}]


async def test_the_latest_moment_is_written() -> None:
    store = Store()
    last_used = LastUsed(store)
    last_used.touch(ADA)
    await last_used.flush()
    last_used.touch(ADA)
    await last_used.flush()

    assert store.written[0][ADA] < store.written[1][ADA]


async def test_what_could_not_be_written_is_kept_but_not_over_newer_moments() -> None:
    store = Store(failures=1)
    last_used = LastUsed(store)
    last_used.touch(ADA)
    last_used.touch(GRACE)
    await last_used.flush()
    last_used.touch(ADA)
    await last_used.flush()

    assert store.written[0].keys() == {ADA, GRACE}
    assert store.written[0][GRACE] < store.written[0][ADA]


async def test_it_is_written_by_itself_again_and_again() -> None:
    store = Store(failures=1)
    last_used = LastUsed(store, interval=0.001)
    writing = asyncio.create_task(last_used.run())
    last_used.touch(ADA)
    await until(lambda: len(store.written) == 1)
    last_used.touch(GRACE)
    await until(lambda: len(store.written) == 2)
    writing.cancel()
    await asyncio.wait({writing})

    assert [set(moments) for moments in store.written] == [{ADA}, {GRACE}]
    assert writing.cancelled()
