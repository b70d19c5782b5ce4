from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.deps import MayReadPosts, MayWritePosts, Page, Posts
from app.schemas.posts import (
    PostBatch,
    PostBatchRead,
    PostCreate,
    PostFilter,
    PostRead,
    PostUpdate,
)
from kingpost.http import IfMatch, PageRead, Route, idempotent, problem_responses
from kingpost.http.types import Id
from kingpost.problems import NotFound
from kingpost.projection import Document

# Five hundred posts of full length, every character escaped as \uXXXX, fit in.
MAX_BATCH_BYTES = 8 * 1024 * 1024

router = APIRouter(tags=["posts"], route_class=Route)


@router.post("/posts", status_code=201, dependencies=[idempotent()])
async def create_post(
    new: PostCreate, posts: Posts, response: Response, _: MayWritePosts
) -> Document[PostRead]:
    post = await posts.create(new)
    response.headers["Location"] = f"/api/v1/posts/{post['id']}"
    return post


@router.post(
    "/posts:batch",
    status_code=201,
    max_body_size=MAX_BATCH_BYTES,
    dependencies=[idempotent()],
)
async def create_posts(batch: PostBatch, posts: Posts, _: MayWritePosts) -> PostBatchRead:
    return await posts.create_batch(batch)


@router.get("/posts")
async def list_posts(
    filters: Annotated[PostFilter, Query()], page: Page, posts: Posts, _: MayReadPosts
) -> Document[PageRead[PostRead]]:
    return await posts.page(filters, page)


@router.get("/posts/{post_id}", responses=problem_responses(NotFound))
async def get_post(post_id: Id, posts: Posts, _: MayReadPosts) -> Document[PostRead]:
    return await posts.get(post_id)


@router.patch("/posts/{post_id}", responses=problem_responses(NotFound))
async def update_post(
    post_id: Id, changes: PostUpdate, posts: Posts, match: IfMatch, _: MayWritePosts
) -> Document[PostRead]:
    return await posts.update(post_id, changes, match)


@router.delete("/posts/{post_id}", status_code=204, responses=problem_responses(NotFound))
async def delete_post(post_id: Id, posts: Posts, match: IfMatch, _: MayWritePosts) -> None:
    await posts.delete(post_id, match)
