"""Readers of the posts over HTTP: the whole list, and a feed that misses nobody."""

from datetime import datetime, timedelta
from typing import Any

import httpx

POSTS = "/api/v1/posts"
LATE = timedelta(seconds=15)
"""Longer than a transaction of the service may run, from its `created_at` to its COMMIT."""


async def all_posts(http: httpx.AsyncClient, **filters: str) -> list[dict[str, Any]]:
    """Every page, the newest post first."""
    found: list[dict[str, Any]] = []
    asked: dict[str, str] | None = {"limit": "100", **filters}
    while asked is not None:
        page = (await http.get(POSTS, params=asked)).raise_for_status().json()
        found += page["items"]
        asked = page["next"] and {"limit": "100", **filters, "cursor": page["next"]}
    return found


class Feed:
    """Takes new posts. It looks back a little each time, for those whose COMMIT came late."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._newest: datetime | None = None
        self._seen: dict[str, datetime] = {}

    async def take(self) -> list[dict[str, Any]]:
        """The posts that were not taken before."""
        since = {} if self._newest is None else {"created_since": (self._newest - LATE).isoformat()}
        posts = await all_posts(self._http, **since)
        new = [post for post in posts if post["id"] not in self._seen]
        self._seen |= {post["id"]: datetime.fromisoformat(post["created_at"]) for post in new}
        self._newest = max(self._seen.values(), default=None)
        self._forget()
        return new[::-1]

    def _forget(self) -> None:
        if self._newest is not None:
            kept = self._newest - LATE
            self._seen = {id_: at for id_, at in self._seen.items() if at >= kept}
