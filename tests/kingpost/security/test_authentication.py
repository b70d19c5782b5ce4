import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from kingpost.problems import Forbidden, Unauthenticated, Unavailable
from kingpost.security import KeyAuthenticator, Principal, StoredKey, hash_key, new_key

PEPPER = b"pepper"


class Store:
    """Keys in memory: what is tested here is the authenticator, not the table."""

    def __init__(self) -> None:
        self.rows: dict[UUID, StoredKey] = {}
        self.asked = 0
        self.used: list[UUID] = []
        self.away = False
        self.open = asyncio.Event()
        self.open.set()

    def add(self, **changes: object) -> str:
        key_id = uuid4()
        key = new_key(key_id, "test")
        values = {"scopes": frozenset({"a:read"}), "seconds_left": None, "revoked_at": None}
        self.rows[key_id] = StoredKey(
            id=key_id, key_hash=hash_key(key, PEPPER), **(values | changes)
        )
        return key

    async def find(self, key_id: UUID) -> StoredKey | None:
        self.asked += 1
        if self.away:
            raise Unavailable
        row = self.rows.get(key_id)
        await self.open.wait()
        return row

    def authenticator(self, cache_seconds: float = 60) -> KeyAuthenticator:
        return KeyAuthenticator(
            self.find, pepper=PEPPER, cache_seconds=cache_seconds, used=self.used.append
        )


@pytest.fixture
def store() -> Store:
    return Store()


async def test_a_successor_is_the_subject_that_the_first_key_was(store: Store) -> None:
    first = await store.authenticator().authenticate([f"Bearer {store.add()}"])
    second = store.add(principal_id=first.key_id)
    successor = await store.authenticator().authenticate([f"Bearer {second}"])

    assert first.subject == successor.subject == first.actor
    assert successor.actor == f"key:{successor.key_id}" != first.actor
    assert Principal("name:x", frozenset()).subject == "name:x"


async def test_a_valid_key_gives_its_principal(store: Store) -> None:
    principal = await store.authenticator().authenticate([f"Bearer {store.add()}"])

    assert principal.actor == f"key:{principal.key_id}"
    assert principal.scopes == {"a:read"}
    assert store.used == [principal.key_id]


async def test_no_key_is_asked_for_one_and_told_no_more(store: Store) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await store.authenticator().authenticate([])

    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}


async def test_every_bad_key_gets_the_same_answer(store: Store) -> None:
    now = datetime.now(UTC)
    good = store.add()
    unknown = new_key(uuid4(), "test")
    forged = new_key(next(iter(store.rows)), "test")
    bad = [
        [f"Bearer {unknown}"],
        [f"Bearer {forged}"],
        [f"Bearer {good}x"],
        [f"Bearer {store.add(seconds_left=-1.0)}"],
        [f"Bearer {store.add(revoked_at=now)}"],
        [f"Basic {good}"],
        [good],
        ["Bearer"],
        ["Bearer é"],
        [f"Bearer {good}", f"Bearer {good}"],
    ]
    answers = set()
    for headers in bad:
        with pytest.raises(Unauthenticated) as caught:
            await store.authenticator().authenticate(headers)
        answers.add((caught.value.detail, tuple(caught.value.headers.items())))

    [(detail, headers)] = answers
    assert detail == "Send it as `Authorization: Bearer <key>`."
    assert headers == (("WWW-Authenticate", 'Bearer error="invalid_token"'),)
    assert store.used == []


async def test_a_known_key_costs_no_query_until_it_is_forgotten(store: Store) -> None:
    authenticator, key = store.authenticator(), store.add()
    first = await authenticator.authenticate([f"Bearer {key}"])
    await authenticator.authenticate([f"bearer {key}"])
    assert store.asked == 1

    assert first.key_id
    del store.rows[first.key_id]
    authenticator.forget(first.key_id)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate([f"Bearer {key}"])


async def test_a_lookup_that_a_change_overtakes_is_not_remembered(store: Store) -> None:
    key = store.add()
    key_id = next(iter(store.rows))
    find = store.find

    async def slow(searched: UUID) -> StoredKey | None:
        row = await find(searched)
        authenticator.forget(key_id)  # revoked and committed while the old row was on its way
        return row

    authenticator = KeyAuthenticator(slow, pepper=PEPPER, cache_seconds=60, used=store.used.append)
    await authenticator.authenticate([f"Bearer {key}"])
    del store.rows[key_id]

    with pytest.raises(Unauthenticated):
        await authenticator.authenticate([f"Bearer {key}"])


async def test_two_lookups_at_once_are_both_forgotten(store: Store) -> None:
    key, may_end = store.add(), asyncio.Event()
    find = store.find

    async def slow(searched: UUID) -> StoredKey | None:
        row = await find(searched)
        await may_end.wait()
        return row

    authenticator = KeyAuthenticator(slow, pepper=PEPPER, cache_seconds=60, used=store.used.append)
    spellings = [[f"Bearer {key}"], [f"bearer {key}"]]
    both = asyncio.gather(*(authenticator.authenticate(spelling) for spelling in spellings))
    await asyncio.sleep(0)
    may_end.set()
    await both
    (key_id,) = store.rows
    del store.rows[key_id]
    authenticator.forget(key_id)

    for spelling in spellings:
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(spelling)


async def test_a_key_there_is_no_more_room_for_is_looked_up_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kingpost.security.authentication._CACHED_KEYS", 2)
    authenticator, keys = store.authenticator(), [store.add() for _ in range(3)]
    # A wrong secret for a key that exists takes up room where keys are looked up, only there.
    wrong = [new_key(key_id, "test") for key_id in store.rows]
    await authenticator.authenticate([f"Bearer {keys[0]}"])
    for key in wrong[1:]:
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate([f"Bearer {key}"])
    asked = store.asked
    await authenticator.authenticate([f"Bearer {keys[0]}"])

    assert store.asked == asked + 1
    assert len(authenticator._accepted) <= len(authenticator._known) == 2


async def test_a_key_seen_before_is_not_hashed_again_and_not_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    def counted(key: str, pepper: bytes) -> bytes:
        hashed.append(key)
        return hash_key(key, pepper)

    monkeypatch.setattr("kingpost.security.authentication.hash_key", counted)
    authenticator, key = store.authenticator(), store.add()
    first = await authenticator.authenticate([f"Bearer {key}"])
    again = await authenticator.authenticate([f"Bearer {key}"])
    known = [vars(authenticator), *authenticator._known.values()]
    kept = f"{known} {[known.stored for known in authenticator._known.values()]}"

    assert hashed == [key]
    assert again is first
    assert key not in kept
    assert str(first.key_id) in kept


async def test_without_a_cache_every_use_asks(store: Store) -> None:
    authenticator, key = store.authenticator(cache_seconds=0), store.add()
    for _ in range(3):
        await authenticator.authenticate([f"Bearer {key}"])

    assert store.asked == 3


async def test_a_remembered_key_still_expires_on_time(store: Store) -> None:
    key = store.add(seconds_left=3600.0)
    authenticator = store.authenticator()
    principal = await authenticator.authenticate([f"Bearer {key}"])
    assert principal.key_id

    authenticator._known[principal.key_id].expires = time.monotonic()
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate([f"Bearer {key}"])


async def test_nobody_gets_in_while_the_keys_cannot_be_read(store: Store) -> None:
    key = store.add()
    store.away = True

    with pytest.raises(Unavailable):
        await store.authenticator().authenticate([f"Bearer {key}"])


@pytest.mark.parametrize(
    ("granted", "allowed"),
    [({"a:read"}, True), ({"a:*"}, True), ({"*"}, True), ({"a:write"}, False), (set(), False)],
)
def test_scopes_are_granted_by_name_by_noun_or_all(granted: set[str], allowed: bool) -> None:
    principal = Principal("key:x", frozenset(granted))

    if allowed:
        principal.require(["a:read"])
    else:
        with pytest.raises(Forbidden) as caught:
            principal.require(["a:read"])
        assert 'scope="a:read"' in caught.value.headers["WWW-Authenticate"]


async def test_requests_that_come_together_look_a_key_up_once(store: Store) -> None:
    keys, header = store.authenticator(), [f"Bearer {store.add()}"]
    store.open.clear()
    requests = [asyncio.create_task(keys.authenticate(header)) for _ in range(20)]
    await asyncio.sleep(0)
    requests[0].cancel()
    await asyncio.sleep(0)
    store.open.set()

    results = await asyncio.gather(*requests, return_exceptions=True)

    assert store.asked == 1
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(isinstance(result, Principal) for result in results[1:])


async def test_a_lookup_that_began_before_a_change_serves_nobody_who_came_after(
    store: Store,
) -> None:
    keys, header = store.authenticator(), [f"Bearer {store.add()}"]
    [key_id] = store.rows
    store.open.clear()
    before = asyncio.create_task(keys.authenticate(header))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    store.rows[key_id] = replace(store.rows[key_id], revoked_at=datetime.now(UTC))
    keys.forget(key_id)
    after = asyncio.create_task(keys.authenticate(header))
    await asyncio.sleep(0)
    store.open.set()

    assert isinstance(await before, Principal)
    with pytest.raises(Unauthenticated):
        await after
    with pytest.raises(Unauthenticated):
        await keys.authenticate(header)
    assert store.asked == 2


async def test_a_store_that_is_away_is_told_to_everybody_and_asked_again_later(
    store: Store,
) -> None:
    keys, header = store.authenticator(), [f"Bearer {store.add()}"]
    store.away = True
    results = await asyncio.gather(
        *(keys.authenticate(header) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(result, Unavailable) for result in results)
    store.away = False
    assert isinstance(await keys.authenticate(header), Principal)
