"""A server with a little in it, and an eye on what changes."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from kingpost.testing.process import ServerProcess

MISSING = "0199f3f0-7b1c-7000-8000-000000000000"


@dataclass
class World:
    """A running service with users, posts and keys of all sorts.

    Attributes:
        server: the process.
        database: a connection to its database, for looking and for setting the scene.
        known: words that cases put into their requests, such as `<user>` for an id.
    """

    server: ServerProcess
    database: psycopg.Connection[Any]
    known: dict[str, str]

    def fill(self, text: str) -> str:
        for word, value in self.known.items():
            text = text.replace(word, value)
        return text

    def rows(self) -> dict[str, int]:
        counts = "SELECT 'users', count(*) FROM users UNION ALL SELECT 'posts', count(*) FROM posts"
        counts += " UNION ALL SELECT 'keys', count(*) FROM keys"
        counts += " UNION ALL SELECT 'audit', count(*) FROM audit"
        return dict(self.database.execute(counts).fetchall())


@pytest.fixture(scope="session")
def world(shared_server: ServerProcess) -> Iterator[World]:
    with look_into(shared_server.database_url) as database:
        yield World(shared_server, database, populate(shared_server, database))


@pytest.fixture(scope="session")
def guarded(launch_server: Callable[..., Any]) -> Iterator[ServerProcess]:
    """A server that answers to one name only."""
    with launch_server(APP_ALLOWED_HOSTS="api.example") as server:
        yield server


def look_into(url: str) -> psycopg.Connection[Any]:
    at = make_url(url)
    where = {"dbname": at.database, "user": at.username, "host": at.query["host"]}
    return psycopg.connect(autocommit=True, **where)  # type: ignore[arg-type] # one host


def populate(server: ServerProcess, database: psycopg.Connection[Any]) -> dict[str, str]:
    with httpx.Client(base_url=server.url, headers=server.headers, trust_env=False) as client:

        def post(path: str, **body: Any) -> dict[str, Any]:
            answer = client.post(f"/api/v1/{path}", json=body)
            assert answer.is_success, answer.text
            return dict(answer.json())

        def key(*scopes: str) -> dict[str, Any]:
            return post("keys", name="hostile", scopes=scopes)

        email = f"ada.{uuid4().hex}@example.com"
        user, other = post("users", email=email), post("users", email=f"{uuid4().hex}@example.com")
        made = post("posts", title="On engines", content="They weave.", author_id=user["id"])
        cursor = client.get("/api/v1/users?limit=1").json()["next"]
        reader, revoked, expired = key("posts:read"), key("users:*"), key("users:*")
        post(f"keys/{revoked['id']}/revocation")
    database.execute("UPDATE keys SET expires_at = now() WHERE id = %s", [expired["id"]])
    return {
        "<user>": user["id"],
        "<other>": other["id"],
        "<post>": made["id"],
        "<missing>": MISSING,
        "<email>": email,
        "<EMAIL>": email.upper(),
        "<cursor>": cursor,
        "<tampered>": cursor[:-1] + ("A" if cursor[-1] != "A" else "B"),
        "<key>": str(server.key),
        "<reader>": reader["key"],
        "<readers-id>": reader["id"],
        "<revoked>": revoked["key"],
        "<expired>": expired["key"],
    }


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Where a command that came with the installed packages is."""
    return lambda name: str(Path(sys.executable).with_name(name))
