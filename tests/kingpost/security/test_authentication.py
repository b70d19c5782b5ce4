from datetime import UTC, datetime, timedelta
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

    def add(self, **changes: object) -> str:
        key_id = uuid4()
        key = new_key(key_id, "test")
        values = {"scopes": frozenset({"a:read"}), "expires_at": None, "revoked_at": None}
        self.rows[key_id] = StoredKey(
            id=key_id, key_hash=hash_key(key, PEPPER), **(values | changes)
        )
        return key

    async def find(self, key_id: UUID) -> StoredKey | None:
        self.asked += 1
        if self.away:
            raise Unavailable
        return self.rows.get(key_id)

    def authenticator(self, cache_seconds: float = 60) -> KeyAuthenticator:
        return KeyAuthenticator(
            self.find, pepper=PEPPER, cache_seconds=cache_seconds, used=self.used.append
        )


@pytest.fixture
def store() -> Store:
    return Store()


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
        [f"Bearer {store.add(expires_at=now - timedelta(seconds=1))}"],
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


async def test_a_remembered_key_still_expires_on_time(store: Store) -> None:
    key = store.add(expires_at=datetime.now(UTC) + timedelta(hours=1))
    authenticator = store.authenticator()
    principal = await authenticator.authenticate([f"Bearer {key}"])
    assert principal.key_id

    known = authenticator._known[principal.key_id]
    expired = StoredKey(
        principal.key_id, known[1].key_hash, known[1].scopes, datetime.now(UTC), None
    )
    authenticator._known[principal.key_id] = (known[0], expired)
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
