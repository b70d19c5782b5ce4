"""A small believable world: Ada and Grace write posts."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

Make = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def make_user(client: httpx.AsyncClient) -> Make:
    async def make(email: str = "ada@example.com", **fields: Any) -> dict[str, Any]:
        answer = await client.post("/api/v1/users", json={"email": email, **fields})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return make


@pytest.fixture
def make_post(client: httpx.AsyncClient) -> Make:
    async def make(
        author: dict[str, Any], title: str = "On engines", content: str = "They weave."
    ) -> dict[str, Any]:
        body = {"title": title, "content": content, "author_id": author["id"]}
        answer = await client.post("/api/v1/posts", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return make
