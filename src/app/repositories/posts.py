from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Double, Select, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.functions import Function

from app.db.models import Post, User
from app.errors import PostNotFound
from app.schemas.posts import PostFilter, PostRead
from kingpost.http import PageRead, Paging
from kingpost.pagination import Key

NEWEST_FIRST = (
    Key(Post.created_at, "created_at", descending=True),
    Key(Post.id, "id", descending=True),
)


class PostRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, post_id: UUID) -> Post:
        return self._found(post_id, await self.session.scalar(by_id(post_id)))

    async def get_for_update(self, post_id: UUID) -> Post:
        locked = by_id(post_id).with_for_update(of=Post)
        return self._found(post_id, await self.session.scalar(locked))

    async def page(self, filters: PostFilter, paging: Paging) -> PageRead[PostRead]:
        return await paging.fetch(self.session, filtered(filters), order(filters), PostRead)

    async def add(self, post: Post) -> Post:
        self.session.add(post)
        await self.session.flush()
        await self.session.refresh(post, ["author"])
        return post

    async def add_all(self, posts: Sequence[Post]) -> Sequence[Post]:
        self.session.add_all(posts)
        await self.session.flush()
        return posts

    async def authors(self, ids: Iterable[UUID]) -> dict[UUID, User]:
        found = await self.session.scalars(select(User).where(User.id.in_(set(ids))))
        return {user.id: user for user in found}

    @staticmethod
    def _found(post_id: UUID, post: Post | None) -> Post:
        if post is None:
            raise PostNotFound(post_id)
        return post


def by_id(post_id: UUID) -> Select[Post]:
    return select(Post).where(Post.id == post_id).options(joinedload(Post.author, innerjoin=True))


def filtered(filters: PostFilter) -> Select[Post]:
    posts = select(Post).options(joinedload(Post.author, innerjoin=True))
    if filters.author_id is not None:
        posts = posts.where(Post.author_id == filters.author_id)
    if filters.created_since is not None:
        posts = posts.where(Post.created_at >= filters.created_since)
    if filters.created_until is not None:
        posts = posts.where(Post.created_at < filters.created_until)
    if filters.q is not None:
        posts = posts.where(Post.search.op("@@")(search_query(filters.q)))
    return posts


def order(filters: PostFilter) -> Sequence[Key]:
    if filters.q is None:
        return NEWEST_FIRST
    # Single precision would not come back equal from the cursor on every driver.
    rank = cast(func.ts_rank(Post.search, search_query(filters.q)), Double)
    return (Key(rank, "rank", descending=True), Key(Post.id, "id", descending=True))


def search_query(q: str) -> Function[str]:
    return func.websearch_to_tsquery("english", q)
