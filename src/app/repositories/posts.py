from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import Double, String, Uuid, bindparam, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.db.models import Post, User
from app.errors import PostNotFound
from app.repositories.users import UserReader
from app.schemas.posts import PostFilter, PostRead
from kingpost.database import Reads
from kingpost.http import PageRead, Paging
from kingpost.pagination import Key
from kingpost.projection import Document, Listing, Lookup, Projection

SEARCH = func.websearch_to_tsquery("english", bindparam("q", type_=String))
# Single precision would not come back equal from the cursor on every driver.
RANK = cast(func.ts_rank(Post.search, SEARCH), Double)
# With (SELECT $1) PostgreSQL plans for any author. If it saw that this one wrote a tenth of all
# posts, it would walk through everybody's, and to the end when his are old.
AUTHOR = select(bindparam("author_id", type_=Uuid)).scalar_subquery()
WHERE = {
    "author_id": Post.author_id == AUTHOR,
    "created_since": Post.created_at >= bindparam("created_since"),
    "created_until": Post.created_at < bindparam("created_until"),
    "q": Post.search.op("@@")(SEARCH),
}

POST = Projection(PostRead, Post)
BY_ID = Lookup(POST, Post.id)
NEWEST = Listing(
    POST,
    order=(
        Key(Post.created_at, "created_at", descending=True),
        Key(Post.id, "id", descending=True),
    ),
    filters=PostFilter,
    where=WHERE,
)
BEST_MATCH = Listing(
    POST,
    order=(Key(RANK, "rank", descending=True), Key(Post.id, "id", descending=True)),
    filters=PostFilter,
    where=WHERE,
)


class PostReader:
    def __init__(self, reads: Reads) -> None:
        self.reads = reads

    async def get(self, post_id: UUID) -> Document[PostRead]:
        post = await BY_ID.find(self.reads, post_id)
        if post is None:
            raise PostNotFound(post_id)
        return post

    async def page(self, filters: PostFilter, paging: Paging) -> Document[PageRead[PostRead]]:
        listing = NEWEST if filters.q is None else BEST_MATCH
        return await paging.documents(self.reads, listing, filters)

    async def page_of_user(self, user_id: UUID, paging: Paging) -> Document[PageRead[PostRead]]:
        user = partial(UserReader(self.reads).get, user_id)  # an empty page: is there a user?
        filters = PostFilter(author_id=user_id)
        return await paging.documents(self.reads, NEWEST, filters, if_empty=user)


class PostRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get_for_update(self, post_id: UUID) -> Post:
        post = await self.session.scalar(
            select(Post)
            .where(Post.id == post_id)
            .options(joinedload(Post.author, innerjoin=True))
            .with_for_update(of=Post)
        )
        if post is None:
            raise PostNotFound(post_id)
        return post

    async def add_all(self, posts: Sequence[Post]) -> Sequence[Post]:
        self.session.add_all(posts)
        await self.session.flush()
        return posts

    async def authors(self, ids: Iterable[UUID]) -> dict[UUID, User]:
        found = await self.session.scalars(select(User).where(User.id.in_(set(ids))))
        return {user.id: user for user in found}
