"""A COMMIT that fails is never a 2xx: the service in a process of its own, seen by a client."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from tests.kingpost.support import Outside, Sql

from kingpost.testing.databases import execute
from kingpost.testing.process import ServerProcess

AT_COMMIT = """
    CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN {body} RETURN NULL; END $$
"""
TRIGGER = """
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON posts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()
"""
AUTHOR = "TABLE = 'posts', CONSTRAINT = 'fk_posts_author_id_users'"


@pytest_asyncio.fixture
async def sql(server: ServerProcess) -> AsyncIterator[Sql]:
    """The database of the server, seen from outside, without the trigger in the end."""
    async with Outside(server.database_url) as run:
        yield run
        await run("DROP FUNCTION IF EXISTS at_commit() CASCADE")
        await run("DROP SEQUENCE IF EXISTS tries")


@pytest.fixture
def at_commit(server: ServerProcess) -> Callable[[str], None]:
    """Has PL/pgSQL done when a post is committed; it may be `RAISE …`."""

    def install(body: str) -> None:
        execute(server.database_url, AT_COMMIT.format(body=body), TRIGGER)

    return install


@pytest_asyncio.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    options = {"headers": server.headers, "trust_env": False, "timeout": 60.0}
    async with httpx.AsyncClient(base_url=server.url, **options) as client:
        yield client


@pytest_asyncio.fixture
async def new_post(http: httpx.AsyncClient) -> dict[str, Any]:
    user = await http.post("/api/v1/users", json={"email": f"{uuid4().hex}@example.org"})
    assert user.status_code == 201, user.text
    return {"title": "On engines", "content": "They weave.", "author_id": user.json()["id"]}


async def posts_of(http: httpx.AsyncClient, post: dict[str, Any]) -> list[Any]:
    answer = await http.get("/api/v1/posts", params={"author_id": post["author_id"]})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def audited(sql: Sql, post: dict[str, Any]) -> int:
    count = "SELECT count(*) FROM audit WHERE entity = 'posts' AND changes->>'author_id' = :author"
    return int((await sql(count, author=post["author_id"]))[0][0])


async def metric(server: ServerProcess, http: httpx.AsyncClient, name: str) -> float:
    lines = (await http.get(f"{server.ops_url}/metrics")).text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), 0.0)


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (f"RAISE 'no' USING ERRCODE = '23503', {AUTHOR};", 422, "invalid-reference"),
        ("RAISE 'no' USING ERRCODE = '23505';", 409, "conflict"),
        ("RAISE 'no' USING ERRCODE = '40001';", 503, "temporary-reduced-capacity"),
        ("RAISE 'no' USING ERRCODE = '40P01';", 503, "temporary-reduced-capacity"),
        ("RAISE 'no';", 500, "internal-error"),
        ("PERFORM pg_terminate_backend(pg_backend_pid());", 503, "outcome-unknown"),
    ],
    ids=["foreign key", "unique", "serialization", "deadlock", "unknown", "killed backend"],
)  # fmt: skip
async def test_a_commit_that_fails_is_never_a_success(
    http: httpx.AsyncClient,
    sql: Sql,
    at_commit: Callable[[str], None],
    new_post: dict[str, Any],
    body: str,
    status: int,
    problem: str,
) -> None:
    at_commit(body)

    answer = await http.post("/api/v1/posts", json=new_post)

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")
    assert ("retry-after" in answer.headers) is (status == 503)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert await posts_of(http, new_post) == []
    assert await audited(sql, new_post) == 0

    await sql("DROP TRIGGER at_commit ON posts")
    assert (await http.post("/api/v1/posts", json=new_post)).status_code == 201
    assert len(await posts_of(http, new_post)) == await audited(sql, new_post) == 1


async def test_the_row_is_visible_as_soon_as_a_slow_commit_is_answered(
    http: httpx.AsyncClient, sql: Sql, at_commit: Callable[[str], None], new_post: dict[str, Any]
) -> None:
    del sql
    at_commit("PERFORM pg_sleep(0.3);")

    created = await http.post("/api/v1/posts", json=new_post)

    assert created.status_code == 201, created.text
    assert (await http.get(created.headers["location"])).json() == created.json()


@pytest.mark.parametrize("is_keyed", [False, True], ids=["", "with a key"])
@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_a_conflict_of_writers_at_commit_costs_only_another_run_and_is_counted(
    server: ServerProcess,
    http: httpx.AsyncClient,
    sql: Sql,
    at_commit: Callable[[str], None],
    new_post: dict[str, Any],
    state: str,
    is_keyed: bool,
) -> None:
    headers = {"Idempotency-Key": new_post["author_id"]} if is_keyed else {}
    name = f'database_transaction_retries_total{{sqlstate="{state}"}}'
    before = await metric(server, http, name)
    await sql("CREATE SEQUENCE tries")  # a rollback does not take its numbers back
    at_commit(f"IF nextval('tries') < 3 THEN RAISE 'no' USING ERRCODE = '{state}'; END IF;")

    created = await http.post("/api/v1/posts", json=new_post, headers=headers)

    assert created.status_code == 201, created.text
    assert [post["id"] for post in await posts_of(http, new_post)] == [created.json()["id"]]
    assert await metric(server, http, name) - before == 2
