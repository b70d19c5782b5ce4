"""Too many wrong keys of an address, and who is not to suffer for it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from uuid import UUID, uuid4

import pytest

from kingpost.context import RequestContext, current_request
from kingpost.problems import Problem, Unauthenticated, Unavailable
from kingpost.ratelimit import AbnormalUsage
from kingpost.security import (
    FailedAuthentications,
    KeyAuthenticator,
    StoredKey,
    failures,
    hash_key,
    new_key,
)
from kingpost.security.failures import network_of

PEPPER = b"pepper"


class World:
    """An authenticator, its keys in memory, and what it was asked and told."""

    def __init__(self, limit: int = 3, cache_seconds: float = 60) -> None:
        self.rows: dict[UUID, StoredKey] = {}
        self.lookups = 0
        self.away = False
        self.told: list[str] = []
        self.failures = FailedAuthentications(limit, told=self.told.append)
        self.authenticator = KeyAuthenticator(
            self.find,
            pepper=PEPPER,
            cache_seconds=cache_seconds,
            used=lambda _: None,
            failures=self.failures,
        )

    async def find(self, key_id: UUID) -> StoredKey | None:
        self.lookups += 1
        if self.away:
            raise Unavailable
        return self.rows.get(key_id)

    def add(self) -> str:
        key_id = uuid4()
        key = new_key(key_id, "test")
        self.rows[key_id] = StoredKey(key_id, hash_key(key, PEPPER), frozenset("a"), None, None)
        return key

    async def outcome(self, key: str | None, address: str | None = "192.0.2.1") -> int:
        headers = [] if key is None else [f"Bearer {key}"]
        with asked_from(address):
            try:
                await self.authenticator.authenticate(headers)
            except Problem as problem:
                return problem.status
        return 200


@contextmanager
def asked_from(address: str | None) -> Iterator[None]:
    token = current_request.set(RequestContext("r-1", address=address))
    try:
        yield
    finally:
        current_request.reset(token)


def wrong() -> str:
    return new_key(uuid4(), "test")


async def exhaust(world: World, address: str | None = "192.0.2.1") -> list[int]:
    return [await world.outcome(wrong(), address) for _ in range(5)]


async def test_after_so_many_wrong_keys_no_other_is_looked_at() -> None:
    world = World(limit=3)

    assert await exhaust(world) == [401, 401, 401, 429, 429]
    assert world.lookups == 3
    assert world.told == ["address_refused"] * 2


async def test_the_refusal_says_when_to_come_back() -> None:
    world = World()
    await exhaust(world)

    with asked_from("192.0.2.1"), pytest.raises(AbnormalUsage) as refused:
        await world.authenticator.authenticate([f"Bearer {wrong()}"])

    assert 30 < int(refused.value.headers["Retry-After"]) <= 60
    assert refused.value.extensions == {"violated-policies": ["failed-authentications"]}


async def test_after_the_minute_keys_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(failures, "monotonic", lambda: now)
    world = World()
    await exhaust(world)
    now += 59.9
    assert await world.outcome(wrong()) == 429

    now += 0.1
    assert await exhaust(world) == [401, 401, 401, 429, 429]


async def test_another_address_is_not_refused() -> None:
    world = World()
    await exhaust(world)

    assert await world.outcome(wrong(), "192.0.2.2") == 401


async def test_a_key_that_was_accepted_before_goes_on_to_be_accepted() -> None:
    world = World()
    key = world.add()
    assert await world.outcome(key) == 200
    await exhaust(world)

    assert await world.outcome(key) == 200


async def test_it_does_so_when_it_has_to_be_looked_up_again() -> None:
    world = World(cache_seconds=0)
    key = world.add()
    assert await world.outcome(key) == 200
    await exhaust(world)
    world.away = True
    assert await world.outcome(key) == 503
    world.away = False

    assert set(await asyncio.gather(*(world.outcome(key) for _ in range(20)))) == {200}


async def test_a_right_key_that_is_new_here_waits() -> None:
    world = World()
    await exhaust(world)

    assert await world.outcome(world.add()) == 429


async def test_a_revoked_key_is_a_wrong_key() -> None:
    world = World(cache_seconds=0)
    key = world.add()
    assert await world.outcome(key) == 200
    world.rows.clear()

    assert [await world.outcome(key) for _ in range(5)] == [401, 401, 401, 429, 429]


async def test_a_request_without_a_key_is_no_attempt() -> None:
    world = World()

    assert {await world.outcome(None) for _ in range(20)} == {401}
    assert len(world.failures) == 0


async def test_an_empty_header_has_no_key_and_is_no_attempt() -> None:
    world = World()

    for value in ["", " "] * 10:
        with asked_from("192.0.2.1"), pytest.raises(Unauthenticated) as refused:
            await world.authenticator.authenticate([value])
        assert refused.value.headers["WWW-Authenticate"] == "Bearer"
    assert len(world.failures) == 0


async def test_a_database_that_is_away_is_no_failure_of_the_client() -> None:
    world = World()
    world.away = True

    assert set(await exhaust(world)) == {503}
    assert len(world.failures) == 0


async def test_a_client_without_an_address_is_never_refused() -> None:
    world = World()

    assert set(await exhaust(world, None)) == {401}
    assert len(world.failures) == 0


def test_many_addresses_need_no_more_memory() -> None:
    counted = FailedAuthentications(1)
    for number in range(failures.ADDRESSES + 5_000):
        counted.count(str(IPv4Address(number)))

    assert len(counted) == failures.ADDRESSES
    counted.check("0.0.0.1")  # forgotten
    with pytest.raises(AbnormalUsage):
        counted.check(str(IPv4Address(number)))


def test_an_address_that_goes_on_failing_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "ADDRESSES", 10)
    counted = FailedAuthentications(3)
    for number in range(100):
        counted.count("192.0.2.1")
        counted.count(str(IPv4Address(number)))

    with pytest.raises(AbnormalUsage):
        counted.check("192.0.2.1")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_address_counts_with_its_network(address: str, network: str) -> None:
    assert network_of(address) == network
