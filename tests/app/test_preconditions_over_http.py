"""If-Match where it counts: a real server, real sockets, many clients at once."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from kingpost.testing.process import ServerProcess


async def test_of_fifty_connections_with_one_etag_one_wins(server: ServerProcess) -> None:
    limits = httpx.Limits(max_connections=50)
    headers = {"Authorization": f"Bearer {server.key}"}
    async with httpx.AsyncClient(
        base_url=server.url, headers=headers, trust_env=False, timeout=60, limits=limits
    ) as client:
        made = await client.post("/api/v1/users", json={"email": f"{uuid4().hex}@example.com"})
        user, match = made.headers["Location"], {"If-Match": made.headers["ETag"]}

        async def rename(n: int) -> Any:
            return await client.patch(user, json={"name": f"Writer {n}"}, headers=match)

        answers = await asyncio.gather(*(rename(n) for n in range(50)))
        [won] = [answer for answer in answers if answer.status_code == 200]
        left = await client.get(user, headers={"If-None-Match": won.headers["ETag"]})

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 49
    assert (left.status_code, left.content) == (304, b"")
    assert left.headers["Cache-Control"] == won.headers["Cache-Control"] == "no-store"
