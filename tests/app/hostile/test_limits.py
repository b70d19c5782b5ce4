"""Every row of docs/limits.md but the times: the limit is accepted, one more is not.

The numbers come from the page, so a row that lies fails here.
"""

import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.app.hostile.case import JSON, KEY, KEYS, POST, POSTS, USERS
from tests.app.hostile.conftest import World
from tests.app.hostile.wire import PATIENCE, request, talk
from tests.architecture.source import ROOT

from kingpost.testing.process import NO_TLS

PAGE = (ROOT / "docs/limits.md").read_text().partition("\n## Size\n")[2]
ROWS = {
    what: int(limit)
    for what, limit in re.findall(r"^\| ([^|]+) \| ([0-9]+)\b[^|]* \|", PAGE, re.MULTILINE)
}
Ask = Callable[[World, int], int]


@dataclass(frozen=True)
class Limit:
    """How to reach a limit, and the statuses at the limit and beyond."""

    ask: Ask
    within: int
    beyond: int


def call(world: World, method: str, path: str, **more: Any) -> httpx.Response:
    headers = world.server.headers | more.pop("headers", {})
    url = world.server.url + world.fill(path)
    more |= {"trust_env": False, "timeout": PATIENCE, "verify": NO_TLS}
    return httpx.request(method, url, headers=headers, **more)


def sends(path: str, document: Callable[[int], Any]) -> Ask:
    def ask(world: World, size: int) -> int:
        body = world.fill(json.dumps(document(size)))
        return call(
            world, "POST", path, content=body, headers={"Content-Type": "application/json"}
        ).status_code

    return ask


def gets(path: str, value: Callable[[int], str]) -> Ask:
    return lambda world, size: call(world, "GET", path + value(size)).status_code


def says(data: Callable[[int], bytes]) -> Ask:
    def ask(world: World, size: int) -> int:
        return talk(world.server.port, world.fill(data(size).decode()).encode()).status

    return ask


# Size


def padded(path: str) -> Ask:
    """A body of so many bytes with a field too many."""
    start = b'{"x": "'
    return says(
        lambda size: request(
            "POST", path, [KEY, JSON], start + b"x" * (size - len(start) - 2) + b'"}'
        )
    )


def with_header_bytes(size: int) -> bytes:
    filler = size - sum(len(n) + len(v) + 4 for n, v in (("Host", "localhost"), ("X-A", "")))
    return request("GET", "/problems", [("X-A", "x" * filler)])


def with_headers(count: int) -> bytes:
    return request("GET", "/problems", [(f"X-{n}", "x") for n in range(count - 1)])


def with_target(size: int) -> bytes:
    return request("GET", "/problems?".ljust(size, "x"))


def with_key(world: World, size: int) -> int:
    headers = {"Idempotency-Key": '"' + uuid4().hex.ljust(size, "k") + '"'}
    body = {"email": f"{uuid4().hex}@example.com"}
    return call(world, "POST", USERS, json=body, headers=headers).status_code


def nested(levels: int) -> Any:
    document: Any = []
    for _ in range(levels - 2):
        document = [document]
    return {"email": document}


def late_content(world: World, size: int) -> int:
    """Sends content that was refused unread: does the connection serve another request?"""
    head = request("POST", USERS, [JSON, ("Content-Length", str(size))])
    with socket.create_connection(("127.0.0.1", world.server.port), timeout=PATIENCE) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
        connection.sendall(b"x" * size + request("GET", "/problems"))
        answer = connection.recv(65536)
    return int(answer.split(b" ")[1]) if answer else 0


# Fields


def email(size: int) -> str:
    label = "d" * 60
    start = f"{uuid4().hex}@"
    domain = ".".join([label] * 3) + "."
    return start + domain + "d" * (size - len(start) - len(domain))


def user(**fields: Any) -> dict[str, Any]:
    return {"email": f"{uuid4().hex}@example.com", **fields}


def key(**fields: Any) -> dict[str, Any]:
    return {"name": "limits", "scopes": ["posts:read"], **fields}


def rotates(world: World, seconds: int) -> int:
    made = call(world, "POST", KEYS, json=key()).json()
    body = {"overlap_seconds": seconds}
    return call(world, "POST", f"{KEYS}/{made['id']}/rotation", json=body).status_code


LIMITS = {
    "Body": Limit(padded(USERS), 422, 413),
    f"Body of `POST {POSTS}:batch`": Limit(padded(f"{POSTS}:batch"), 422, 413),
    "`Idempotency-Key`": Limit(with_key, 201, 400),
    "Nesting of JSON": Limit(sends(USERS, nested), 422, 400),
    "Values in a JSON body": Limit(sends(USERS, lambda n: {"email": [0] * (n - 1)}), 422, 413),
    "Header section": Limit(says(with_header_bytes), 200, 431),
    "Header lines": Limit(says(with_headers), 200, 431),
    "Request target": Limit(says(with_target), 200, 414),
    "Body that arrives after its answer": Limit(late_content, 200, 0),
    "`email`": Limit(sends(USERS, lambda n: {"email": email(n)}), 201, 422),
    "`name` of a user": Limit(sends(USERS, lambda n: user(name="x" * n)), 201, 422),
    "`title` of a post": Limit(sends(POSTS, lambda n: POST | {"title": "x" * n}), 201, 422),
    "`content` of a post": Limit(sends(POSTS, lambda n: POST | {"content": "x" * n}), 201, 422),
    "`items` of a batch": Limit(sends(f"{POSTS}:batch", lambda n: {"items": [POST] * n}), 201, 422),
    "`q` of a search": Limit(gets(f"{POSTS}?q=", lambda n: "x" * n), 200, 422),
    "`actor` of the audit": Limit(gets("/api/v1/audit?actor=", lambda n: "x" * n), 200, 422),
    "`name` of a key": Limit(sends(KEYS, lambda n: key(name="x" * n)), 201, 422),
    "`expires_in_days` of a key": Limit(sends(KEYS, lambda n: key(expires_in_days=n)), 201, 422),
    "`overlap_seconds` of a rotation": Limit(rotates, 201, 422),
    "`limit` of a list": Limit(gets(f"{USERS}?limit=", str), 200, 422),
}

ELSEWHERE = {
    "Answer remembered by an `Idempotency-Key`": (
        "tests/app/api/test_idempotency.py::test_an_answer_that_is_too_large_to_remember_is_500"
    ),
    "Problem document": (
        "tests/kingpost/middleware/test_answers.py::test_a_problem_is_shortened_at_its_limit"
    ),
    "What a slow client must take of its answer to get the time again": (
        "tests/kingpost/server/test_delivery.py::"
        "test_a_client_that_takes_enough_gets_the_time_again"
    ),
    "Keys of lookups that are sent as one statement": (
        "tests/kingpost/database/test_coalescing.py::test_many_keys_are_sent_in_parts"
    ),
    "Findings of one validation": (
        "tests/kingpost/http/test_validation.py::test_a_hundred_findings_are_named_and_no_more"
    ),
    "Posts shown with their author": (
        "tests/app/hostile/test_limits.py::test_of_more_posts_than_are_shown_the_newest_are"
    ),
    "Connections of clients to a process": (
        "tests/kingpost/server/test_connections.py::"
        "test_the_one_that_was_idle_for_longest_makes_room"
    ),
    "Connections to the port of `/livez`, `/readyz` and `/metrics`": (
        "tests/kingpost/server/test_connections.py::test_the_operations_port_counts_apart"
    ),
    "Database connections of a process for transactions": (
        "tests/kingpost/database/test_connections.py::"
        "test_an_empty_pool_is_busy_within_the_acquire_timeout"
    ),
    "Database connections of a process for single statements": (
        "tests/app/test_reliability.py::test_an_empty_pool_is_503_within_the_acquire_timeout"
    ),
    "Runs of a use case": (
        "tests/kingpost/database/test_rerun.py::test_re_runs_are_bounded_and_end_as_busy"
    ),
    "Requests that a process works on at once": (
        "tests/kingpost/server/test_shedding.py::test_a_list_is_shed_before_a_create"
    ),
    "Refusals a second after which a refused connection is left unread for a moment": (
        "tests/kingpost/server/test_shedding.py::"
        "test_connections_beyond_what_is_affordable_are_read_later"
    ),
    "Seconds of that window": (
        "tests/kingpost/ratelimit/test_limiter.py::test_who_waits_as_told_is_admitted"
    ),
    "Wrong keys of an address in a minute, in each process": (
        "tests/app/test_rate_limits.py::test_by_default_thirty_wrong_keys_a_minute_are_checked"
    ),
    "Addresses whose wrong keys are counted": (
        "tests/kingpost/security/test_failures.py::test_many_addresses_need_no_more_memory"
    ),
    "Keys whose requests are counted without a statement": (
        "tests/kingpost/ratelimit/test_limiter.py::"
        "test_principals_are_forgotten_when_there_are_too_many"
    ),
}


@pytest.mark.parametrize("what", LIMITS)
def test_the_limit_is_accepted_and_one_more_is_not(what: str, world: World) -> None:
    limit = LIMITS[what]

    assert limit.ask(world, ROWS[what]) == limit.within
    assert limit.ask(world, ROWS[what] + 1) == limit.beyond


def test_of_more_posts_than_are_shown_the_newest_are(world: World) -> None:
    author = call(world, "POST", USERS, json=user()).json()["id"]
    most = ROWS["Posts shown with their author"]
    batch = {"items": [POST | {"title": str(n), "author_id": author} for n in range(most)]}
    call(world, "POST", f"{POSTS}:batch", json=batch)
    assert len(titles(world, author)) == most

    call(world, "POST", POSTS, json=POST | {"title": "newest", "author_id": author})
    assert len(titles(world, author)) == most
    assert titles(world, author)[0] == "newest"


def titles(world: World, author: str) -> list[str]:
    found = call(world, "GET", f"{USERS}/{author}?include=posts").json()
    return [post["title"] for post in found["posts"]]


def test_every_row_is_tested_at_its_limit() -> None:
    assert set(ROWS) == LIMITS.keys() | ELSEWHERE.keys()
    assert not LIMITS.keys() & ELSEWHERE.keys()


@pytest.mark.parametrize("test", ELSEWHERE.values())
def test_what_is_tested_elsewhere_is_there(test: str) -> None:
    path, _, name = test.partition("::")

    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
