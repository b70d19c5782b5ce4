"""Clients that create, change, delete and read, and write down what becomes of it."""

import asyncio
import itertools
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.faults.rig.journal import Operation, Probe, Run

SURE = frozenset({"temporary-reduced-capacity", "deadline-exceeded", "unavailable", "not-ready"})
"""Problems with status 503 that promise that nothing was changed."""
_KINDS = {"create": 35, "rename": 20, "delete": 10, "read": 20, "list": 15}
_TRIES = 40


@dataclass(slots=True)
class _Row:
    table: str
    id: str
    version: str | None


@dataclass
class Client:
    """Makes one request after the other, on rows that no other client changes.

    Half of the creates have an Idempotency-Key, and are retried with it.

    Args:
        number: its name in the journal.
        http: where to.
        run: gets the journal.
        pause: seconds between requests.
    """

    number: int
    http: httpx.AsyncClient
    run: Run
    pause: float = 0.02
    rows: list[_Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.number)
        self._count = itertools.count(1)
        self._author: str | None = None

    async def work(self, end: asyncio.Event) -> None:
        """Goes on until the end; what was begun is brought to its end."""
        while not end.is_set():
            kind = self._chance.choices(list(_KINDS), list(_KINDS.values()))[0]
            await self._step(kind)
            await asyncio.sleep(self.pause)

    async def _step(self, kind: str) -> None:
        if kind == "list":
            await self._ask(self._new("list", "posts"), "GET", "/posts?limit=20")
        elif kind == "create" or not self.rows:
            await self._create()
        elif kind == "read":
            row = self._chance.choice(self.rows)
            asked = await self._ask(self._new("read", row.table, row), "GET", _path(row))
            row.version = asked.version or row.version
        else:
            await self._change(kind)

    async def _create(self) -> None:
        table = "posts" if self._author and self._chance.random() < 0.6 else "users"
        first = self._new("create", table)
        if self._chance.random() < 0.5:
            first.key = f"key-{first.token}"
        content = {"email": f"{first.token}@example.org"}
        if table == "posts":
            content = {
                "title": first.token,
                "content": "All of it.",
                "author_id": self._author or "",
            }
        made = await self._until_definite(first, content)
        if made.outcome == "ok" and made.id:
            self.rows.append(_Row(table, made.id, made.version))
            self._author = self._author or made.id

    async def _until_definite(self, one: Operation, content: dict[str, str]) -> Operation:
        """A key is retried until the answer leaves no doubt."""
        for _ in range(_TRIES if one.key else 1):
            await self._ask(one, "POST", f"/{one.table}", content)
            in_flight = one.slug == "idempotency-in-flight"
            if one.outcome == "ok" or (
                one.outcome == "fail" and one.status != 503 and not in_flight
            ):
                break
            if one.key:
                await asyncio.sleep(0.25)
                one = self._again(one)
        return one

    async def _change(self, kind: str) -> None:
        posts = [row for row in self.rows if kind == "rename" or row.table == "posts"]
        if not posts:
            return
        row = self._chance.choice(posts)
        one = self._new(kind, row.table, row)
        match = {"If-Match": row.version} if row.version else {}
        if kind == "delete":
            await self._ask(one, "DELETE", _path(row), headers=match)
        else:
            field_name = "title" if row.table == "posts" else "name"
            await self._ask(one, "PATCH", _path(row), {field_name: one.token}, headers=match)
        if one.outcome == "info" or (kind == "delete" and one.outcome == "ok"):
            self.rows.remove(row)  # nobody knows what it is now
        elif one.outcome == "ok":
            row.version = one.version

    def _new(self, kind: str, table: str, row: _Row | None = None) -> Operation:
        token = f"{self.run.name}c{self.number}n{next(self._count)}"
        return Operation(self.number, kind, table, token, 0.0, id=row.id if row else None)

    def _again(self, one: Operation) -> Operation:
        return Operation(one.process, one.kind, one.table, one.token, 0.0, key=one.key)

    async def _ask(
        self,
        one: Operation,
        method: str,
        path: str,
        content: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Operation:
        sent = dict(headers or {})
        if one.key:
            sent["Idempotency-Key"] = f'"{one.key}"'
        one.invoked = time.monotonic()
        try:
            answer = await self.http.request(method, f"/api/v1{path}", json=content, headers=sent)
            _understand(one, answer)
        except httpx.HTTPError as error:
            refused = isinstance(error, httpx.ConnectError)
            one.outcome, one.why = "fail" if refused else "info", repr(error)
        one.completed = time.monotonic()
        self.run.operations.append(one)
        return one


def _understand(one: Operation, answer: httpx.Response) -> None:
    one.status = answer.status_code
    wait = answer.headers.get("retry-after", "")
    one.retry_after = wait.isdecimal() and int(wait) > 0
    one.is_problem = answer.headers.get("content-type") == "application/problem+json"
    if answer.is_success:
        one.outcome = "ok"
        one.version = answer.headers.get("etag")
        if one.kind == "create":
            one.id = answer.json()["id"]
        return
    document = answer.json() if one.is_problem else {}
    one.slug = str(document.get("type", "")).rpartition("/")[2]
    one.why = str(document.get("detail", answer.text[:200]))
    sure = answer.status_code < 500 or one.slug in SURE
    one.outcome = "fail" if sure else "info"


def _path(row: _Row) -> str:
    return f"/{row.table}/{row.id}"


async def watch_probes(http: httpx.AsyncClient, run: Run, end: asyncio.Event) -> None:
    """Asks /livez and /readyz five times a second until the end."""
    while not end.is_set():
        for path in ("/livez", "/readyz"):
            at = time.monotonic()
            status, why = await _probe(http, path)
            run.probes.append(Probe(at, path, status, time.monotonic(), why))
        await asyncio.sleep(0.2)


async def _probe(http: httpx.AsyncClient, path: str) -> tuple[int, str]:
    try:
        answer = await http.get(path)
    except httpx.HTTPError as error:
        return 0, repr(error)
    return answer.status_code, "" if answer.status_code == 200 else answer.text
