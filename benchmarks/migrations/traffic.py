"""200 requests a second, whatever becomes of them: each is sent when its time has come."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.migrations.balancer import Answer, Balancer
from benchmarks.migrations.clock import Clock

READ_USER, READ_PAGE, CREATE_POST, RENAME_USER = (
    "GET a user", "GET 20 posts", "POST a post", "PATCH a user",
)  # fmt: skip
MIX: Mapping[str, int] = {READ_USER: 50, READ_PAGE: 25, CREATE_POST: 15, RENAME_USER: 10}
_SETTLE_SECONDS = 30.0
_WANTED = {READ_USER: 200, READ_PAGE: 200, CREATE_POST: 201, RENAME_USER: 200}


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was made.

    Attributes:
        kind: which.
        at: when it was due, in seconds of the clock.
        seconds: from then until it had its answer.
        status: of its answer; 0 if there was none.
        failure: why one that failed has done so.
    """

    kind: str
    at: float
    seconds: float
    status: int
    failure: str = ""

    @property
    def failed(self) -> bool:
        """Whether it was not answered as it should have been."""
        return self.status != _WANTED[self.kind]


class Traffic:
    """The clients of the service.

    Args:
        balancer: what they talk to.
        key: their API key.
        users: ids of users.
        rate: requests in a second.
        clock: the time that all are told in.
    """

    def __init__(
        self, balancer: Balancer, *, key: str, users: Sequence[str], rate: float, clock: Clock
    ) -> None:
        self.requests: list[Request] = []
        self.posts: set[str] = set()
        self.names: dict[str, str | None] = {}
        self._balancer = balancer
        self._headers = f"Host: drama\r\nAuthorization: Bearer {key}\r\n"
        self._users = users
        self._rate = rate
        self._clock = clock
        self._chance = random.Random(4)

    async def settled(self) -> None:
        """Waits until the latest requests were answered at once, half a minute at most."""
        latest = self._clock() + _SETTLE_SECONDS
        while not self._settled() and self._clock() < latest:  # noqa: ASYNC110 - of many requests
            await asyncio.sleep(0.05)

    def _settled(self) -> bool:
        latest = self.requests[-50:]
        return len(latest) == 50 and all(not one.failed and one.seconds < 0.1 for one in latest)

    async def run(self, end: asyncio.Event) -> None:
        """Makes requests until the end, and waits for the last answers."""
        start = self._clock()
        async with asyncio.TaskGroup() as under_way:
            number = 0
            while not end.is_set():
                due = start + number / self._rate
                await asyncio.sleep(due - self._clock())
                under_way.create_task(self._request(number, due))
                number += 1

    async def _request(self, number: int, due: float) -> None:
        kind = self._chance.choices(list(MIX), list(MIX.values()))[0]
        user = self._users[number % len(self._users)]
        content = {"title": f"Night {number}", "content": "All rows are back.", "author_id": user}
        make = {
            READ_USER: lambda: self._bytes("GET", f"/users/{user}"),
            READ_PAGE: lambda: self._bytes("GET", "/posts?limit=20"),
            CREATE_POST: lambda: self._bytes("POST", "/posts", content),
            RENAME_USER: lambda: self._bytes("PATCH", f"/users/{user}", {"name": f"Name {number}"}),
        }
        if kind == RENAME_USER:
            self.names[user] = None  # until it is acknowledged, nobody knows
        answer = await self._balancer.ask(make[kind]())
        seconds = self._clock() - due
        failure = "" if answer.status == _WANTED[kind] else _reason(answer)
        self.requests.append(Request(kind, due, seconds, answer.status, failure))
        if not failure:
            self._remember(kind, user, answer)

    def _bytes(self, method: str, path: str, content: Any = None) -> bytes:
        body = b"" if content is None else json.dumps(content).encode()
        head = f"{method} /api/v1{path} HTTP/1.1\r\n{self._headers}"
        if method == "PATCH":
            head += "If-Match: *\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body

    def _remember(self, kind: str, user: str, answer: Answer) -> None:
        if kind == CREATE_POST:
            self.posts.add(json.loads(answer.body)["id"])
        elif kind == RENAME_USER:
            self.names[user] = json.loads(answer.body)["name"]

    async def lost(self, connection: AsyncConnection) -> list[str]:
        """Looks for the writes that were acknowledged.

        Args:
            connection: to the database.

        Returns:
            What is not there, or was undone.
        """
        posts = await connection.scalars(
            text("SELECT id::text FROM posts WHERE id::text = ANY(:ids)"), {"ids": list(self.posts)}
        )
        users = await connection.execute(
            text("SELECT id::text, name FROM users WHERE id::text = ANY(:ids)"),
            {"ids": list(self.names)},
        )
        missing = [f"post {one}" for one in sorted(self.posts - set(posts))]
        return missing + [
            f"{user} is {name!r}, not {self.names[user]!r}"
            for user, name in users
            if self.names[user] not in {None, name}
        ]

    @property
    def failures(self) -> Counter[str]:
        """The answers to what failed, and how often each came."""
        return Counter(one.failure for one in self.requests if one.failed)


def _reason(answer: Answer) -> str:
    told = answer.body.decode(errors="replace")
    with suppress(ValueError, KeyError, TypeError):
        told = json.loads(answer.body)["detail"]
    return f"{answer.status or 'no answer'}: {told[:200]}"
