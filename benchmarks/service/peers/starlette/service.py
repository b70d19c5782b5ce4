"""Starlette, asyncpg and orjson put together by hand for speed: the bar to beat.

No framework between the request and the statement, no model, no session, no transaction around a
single statement, ids as text, rows straight into orjson. The pool is asyncpg's, as its
documentation has it; with RESET=off it leaves out the statement that resets a connection after each
use, which is safe here, since nothing changes a connection's state.
"""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

USER = """
    SELECT id::text, email, name, is_active, created_at, updated_at
    FROM users WHERE id = $1
"""
PAGE = """
    SELECT p.id::text, p.title, p.content, p.created_at, p.updated_at,
           u.id::text AS author_id, u.email AS author_email, u.name AS author_name
    FROM posts p JOIN users u ON u.id = p.author_id
    ORDER BY p.created_at DESC, p.id DESC
    LIMIT $1
"""
CREATE = """
    WITH new AS (
        INSERT INTO posts (id, title, content, author_id) VALUES ($1, $2, $3, $4)
        RETURNING *
    )
    SELECT p.id::text, p.title, p.content, p.created_at, p.updated_at,
           u.id::text AS author_id, u.email AS author_email, u.name AS author_name
    FROM new p JOIN users u ON u.id = p.author_id
"""


def answer(document: object, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json")


def post_document(row: asyncpg.Record) -> dict[str, object]:
    return {
        "id": row["id"],
        "title": row["title"],
        "content": row["content"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "author": {
            "id": row["author_id"],
            "email": row["author_email"],
            "name": row["author_name"],
        },
    }


async def get_user(request: Request) -> Response:
    row = await request.app.state.pool.fetchrow(USER, request.path_params["id"])
    if row is None:
        return answer({"detail": "not found"}, 404)
    return answer(dict(row))


async def list_posts(request: Request) -> Response:
    try:
        limit = int(request.query_params.get("limit", 20))
    except ValueError:
        limit = 0
    if not 1 <= limit <= 100:
        return answer({"detail": "limit: 1 to 100"}, 422)
    rows = await request.app.state.pool.fetch(PAGE, limit)
    return answer({"items": [post_document(row) for row in rows]})


def checked(body: bytes) -> tuple[str, str, uuid.UUID]:
    given = orjson.loads(body)
    title, content = given["title"], given["content"]
    if not isinstance(title, str) or not 1 <= len(title) <= 200:
        raise ValueError("title")
    if not isinstance(content, str) or not 1 <= len(content) <= 2000:
        raise ValueError("content")
    return title, content, uuid.UUID(given["author_id"])


async def create_post(request: Request) -> Response:
    try:
        title, content, author_id = checked(await request.body())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return answer({"detail": f"not valid: {error}"}, 422)
    try:
        row = await request.app.state.pool.fetchrow(CREATE, uuid.uuid4(), title, content, author_id)
    except asyncpg.ForeignKeyViolationError:
        return answer({"detail": "no such author"}, 422)
    return answer(post_document(row), 201)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    size = int(os.environ["POOL_SIZE"])
    # Where the database is, asyncpg takes from PGHOST and so on.
    reset = no_reset if os.environ.get("RESET") == "off" else None
    async with asyncpg.create_pool(min_size=size, max_size=size, reset=reset) as pool:
        app.state.pool = pool
        yield


async def no_reset(_: asyncpg.Connection) -> None:
    """There is nothing to reset; asyncpg's own would cost a round trip for each request."""


app = Starlette(
    routes=[
        Route("/users/{id:uuid}", get_user),
        Route("/posts", list_posts),
        Route("/posts", create_post, methods=["POST"]),
    ],
    lifespan=lifespan,
)
