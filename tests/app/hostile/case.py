"""Hostile requests and their answers: rows of the table that the design of Kingpost began with.

The number in front of a name is the row. Rows 37 to 44, 53 and 54 (idempotency keys,
preconditions, quotas, overload) belong to what the service does not have yet. Words in angle
brackets are filled in by `World`.
"""

import json
from dataclasses import dataclass
from typing import Any

from tests.app.hostile.wire import Headers, request

SECRET = "s3cret-canary"
JSON = ("Content-Type", "application/json")
KEY = ("Authorization", "Bearer <key>")
USERS, POSTS, KEYS = "/api/v1/users", "/api/v1/posts", "/api/v1/keys"
# A valid body for each, to be spoilt in one place.
USER = {"email": "new@example.com", "name": SECRET}
POST = {"title": SECRET, "content": "They weave.", "author_id": "<user>"}
NEW_KEY = {"name": SECRET, "scopes": ["posts:read"]}


@dataclass(frozen=True)
class Case:
    """One request and what it has to be answered with.

    Attributes:
        name: the row and what is wrong.
        data: the whole request; words in angle brackets are still in it.
        status: the exact status.
        slug: of the problem type; None if the answer is not a problem.
        pointer: where the first error is said to be.
        headers: that the answer has, with their whole values.
        closes: the server ends the connection.
        guarded: it is for the server with allowed hosts.
    """

    name: str
    data: bytes
    status: int
    slug: str | None
    pointer: str | None = None
    headers: Headers = ()
    closes: bool = False
    guarded: bool = False

    @property
    def head(self) -> bool:
        return self.data.startswith(b"HEAD ")


def get(name: str, target: str, status: int, slug: str | None, **more: Any) -> Case:
    return Case(name, request(more.pop("method", "GET"), target, [KEY]), status, slug, **more)


def send(name: str, target: str, body: object, status: int, slug: str, **more: Any) -> Case:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = more.pop("sent", [JSON])
    return Case(
        name, request(more.pop("method", "POST"), target, [KEY, *sent], raw), status, slug, **more
    )
