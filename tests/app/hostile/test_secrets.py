"""No secret leaves the service: not in logs, answers, metrics, audit rows or commands."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import make_url
from tests.app.hostile.conftest import look_into
from tests.app.hostile.wire import request, talk

from kingpost.project import Project
from kingpost.testing.process import ServerProcess, launch
from kingpost.testing.service import key_for

PASSWORD = "canary-database-password"
SERVICE_SECRET = "canary-of-the-service-secret-0123456789"
# Not a secret of ours, but what people write: it is theirs, and no business of a log.
PRIVATE = "canary-of-a-private-letter"
DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"


@dataclass
class Watched:
    """A server that is driven into everything, and all that it said to clients.

    Attributes:
        server: the process.
        http: a client with a key that may do everything.
        secrets: what must not be seen anywhere.
        said: the answers, headers included, without those that show a new key.
    """

    server: ServerProcess
    http: httpx.Client
    secrets: set[str]
    said: list[str] = field(default_factory=list)

    def call(self, method: str, path: str, status: int, **options: Any) -> httpx.Response:
        answer = self.http.request(method, f"/api/v1/{path}", **options)
        assert answer.status_code == status, (path, answer.text)
        self.said.append(f"{answer.headers}\n{answer.text}")
        return answer

    def new_key(self, path: str, body: object) -> dict[str, Any]:
        key = dict(self.http.post(f"/api/v1/{path}", json=body).raise_for_status().json())
        self.secrets.add(key["key"][-38:])
        return key

    def raw(self, status: int, data: bytes) -> None:
        answer = talk(self.server.port, data)
        assert answer.status == status
        self.said.append(f"{answer.headers}\n{answer.body!r}")

    def leaks(self, text: str, *more: str) -> list[str]:
        return [secret for secret in (*self.secrets, *more) if secret in text]


@pytest.fixture(params=["development", "production"])
def watched(
    request: pytest.FixtureRequest,
    project: Project,
    postgres: Any,
    databases: Any,
    migrated_template: str,
    driver: Any,
    tmp_path: Path,
) -> Iterator[Watched]:
    environ = {
        "APP_ENVIRONMENT": request.param,
        "APP_LOG_LEVEL": "debug",
        "APP_SECRET": SERVICE_SECRET,
        "APP_LOCK_TIMEOUT": "0.2",
        "APP_ACQUIRE_TIMEOUT": "0.1",
        "APP_SLOW_STATEMENT": "0",
    }
    with databases.copy(migrated_template) as name:
        at = make_url(postgres.url(name, driver)).set(password=PASSWORD)
        url = at.render_as_string(hide_password=False)
        key = key_for(project, environ, url)
        assert key is not None
        server = launch(
            project.root,
            environ=environ,
            prefix="APP_",
            database_url=url,
            log=tmp_path / "log",
            key=key,
        )
        server.wait_until_ready()
        secrets = {PASSWORD, SERVICE_SECRET, key[-38:]}
        with httpx.Client(
            base_url=server.url, headers=server.headers, trust_env=False, timeout=60
        ) as http:
            yield Watched(server, http, secrets)
        server.close()


def test_no_secret_is_seen_anywhere(watched: Watched, program: Callable[[str], str]) -> None:
    with look_into(watched.server.database_url) as database:
        use_everything(watched)
        be_refused(watched)
        dump = stored(database)
        suffer(watched, database)
    lose_the_database(watched)
    metrics = httpx.get(f"{watched.server.ops_url}/metrics", trust_env=False, timeout=60).text
    assert watched.server.stop() == 0
    log = watched.server.log.read_text()

    assert not watched.leaks(log, PRIVATE)
    assert not watched.leaks(metrics, PRIVATE)
    assert "kingpost" in metrics
    assert not [leak for said in watched.said for leak in watched.leaks(said)]
    assert not watched.leaks(dump)
    assert "Traceback" in log or watched.server.environ["APP_ENVIRONMENT"] == "production"
    for command in (["config"], ["keys", "list"], ["routes"]):
        assert not watched.leaks(run([program("kingpost"), *command], watched.server.environ))


ANY = {"If-Match": "*"}


def use_everything(watched: Watched) -> None:
    call = watched.call
    email = f"{PRIVATE}@example.com"
    user = call("POST", "users", 201, json={"email": email, "name": PRIVATE}).json()
    body = {"title": PRIVATE, "content": PRIVATE, "author_id": user["id"]}
    post = call("POST", "posts", 201, json=body).json()
    call("POST", "posts:batch", 201, json={"items": [body, body]})
    call("GET", f"users/by-email/{email}", 200)
    call("GET", "posts", 200, params={"q": PRIVATE, "limit": 1})
    call("PATCH", f"posts/{post['id']}", 200, json={"content": PRIVATE * 2}, headers=ANY)
    call("DELETE", f"posts/{post['id']}", 204, headers=ANY)
    key = watched.new_key("keys", {"name": "k", "scopes": ["posts:read"]})
    successor = watched.new_key(f"keys/{key['id']}/rotation", {})
    call("GET", "posts", 200, headers={"Authorization": f"Bearer {successor['key']}"})
    call("POST", f"keys/{key['id']}/revocation", 200)
    call("GET", "posts", 401, headers={"Authorization": f"Bearer {key['key']}"})
    call("POST", "posts", 403, headers={"Authorization": f"Bearer {successor['key']}"}, json=body)
    call("GET", "keys", 200)
    call("GET", "audit", 200, params={"limit": 100})


def be_refused(watched: Watched) -> None:
    call, private = watched.call, {"email": f"{PRIVATE}@example.com"}
    call("POST", "users", 409, json=private)
    call("POST", "users", 422, json={"email": PRIVATE, PRIVATE[:6]: PRIVATE})
    call("POST", "users", 400, content=b'{"email": "%b' % PRIVATE.encode(),
         headers={"Content-Type": "application/json"})  # fmt: skip
    call("POST", "users", 415, content=PRIVATE.encode())
    missing = {"title": PRIVATE, "content": PRIVATE, "author_id": str(uuid4())}
    call("POST", "posts", 422, json=missing)
    call("POST", "users", 413, json={"email": PRIVATE * 50_000})
    call("GET", f"users/{PRIVATE}", 404)
    call("GET", f"{PRIVATE}", 404)
    call("PUT", "users", 405)
    call("GET", "users", 400, params={"cursor": PRIVATE})
    call("GET", "users", 422, params={"limit": PRIVATE})
    call("GET", "users", 401, headers={"Authorization": f"Bearer {watched.server.key}x"})
    call("GET", "users", 401, headers={"Authorization": f"Basic {watched.server.key}"})
    key = ("Authorization", f"Bearer {watched.server.key}")
    address = f"/api/v1/posts?q={PRIVATE}"
    watched.raw(422, request("GET", f"{address}&api_key={watched.server.key}", [key]))
    watched.raw(400, request("GET", address, [key], host=None))
    watched.raw(431, request("GET", address, [key, ("X-A", PRIVATE * 2000)]))
    watched.raw(414, request("GET", address + "x" * 10_000, [key]))
    watched.raw(501, request(PRIVATE, address, [key]))
    watched.raw(400, request("GET", address, [key, ("Content-Length", PRIVATE)]))


def stored(database: psycopg.Connection[Any]) -> str:
    rows = database.execute("SELECT audit::text FROM audit UNION ALL SELECT keys::text FROM keys")
    return str(rows.fetchall())


def suffer(watched: Watched, database: psycopg.Connection[Any]) -> None:
    """Locks, killed connections, a missing table, a missing column."""
    call = watched.call
    author = call("GET", "users", 200).json()["items"][0]["id"]
    body = {"title": PRIVATE, "content": PRIVATE, "author_id": author}
    with database.transaction():
        database.execute("LOCK TABLE posts")
        call("POST", "posts", 503, json=body)
    others = "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    database.execute(f"{DISCONNECT} {others}")
    call("GET", "posts", 200, params={"q": PRIVATE})
    database.execute("ALTER TABLE posts RENAME TO gone")
    call("POST", "posts", 500, json=body)
    call("GET", "posts", 500, params={"q": PRIVATE})
    database.execute("ALTER TABLE gone RENAME TO posts")
    database.execute("ALTER TABLE keys RENAME COLUMN name TO gone")
    call("POST", "keys", 500, json={"name": PRIVATE, "scopes": ["posts:read"]})
    database.execute("ALTER TABLE keys RENAME COLUMN gone TO name")


def lose_the_database(watched: Watched) -> None:
    here = make_url(watched.server.database_url)
    elsewhere = here.set(database="postgres").render_as_string(hide_password=False)
    with look_into(elsewhere) as database:
        database.execute(f'ALTER DATABASE "{here.database}" ALLOW_CONNECTIONS false')
        database.execute(f"{DISCONNECT} WHERE datname = %s", [here.database])
        watched.call("GET", "posts", 503, params={"q": PRIVATE})
        watched.call("POST", "users", 503, json={"email": f"{PRIVATE}2@example.com"})
        database.execute(f'ALTER DATABASE "{here.database}" ALLOW_CONNECTIONS true')
        watched.call("GET", "posts", 200, params={"q": PRIVATE})


def run(command: list[str], environ: Mapping[str, str]) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    done = subprocess.run(command, env={**inherited, **environ}, capture_output=True, check=True)
    return (done.stdout + done.stderr).decode()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://app:{PASSWORD}@localhost/app",
        f"postgresql+psycopg2://app:{PASSWORD}@localhost/app",
        f"postgresql+asyncpg://app:{PASSWORD}@localhost:1/app",
        f"postgresql+psycopg://app:{PASSWORD}@localhost:1/app",
        f"postgresql+asyncpg://app:{PASSWORD}@localhost:port/app",
        f"mysql://app:{PASSWORD}@localhost/app",
        f"{PASSWORD}",
    ],
)
def test_a_start_that_fails_does_not_show_the_password(
    url: str, program: Callable[[str], str]
) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    environ |= {"APP_DATABASE_URL": url, "APP_SECRET": SERVICE_SECRET, "APP_LOG_LEVEL": "debug"}

    command = [program("kingpost"), "serve"]
    done = subprocess.run(command, env=environ, capture_output=True, check=False)

    said = (done.stdout + done.stderr).decode()
    assert done.returncode != 0
    assert said
    assert PASSWORD not in said
    assert SERVICE_SECRET not in said
