from uuid import UUID

from sqlalchemy import ColumnElement, String, bindparam, collate, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Post, User
from app.errors import UserNotFound
from app.schemas.users import UserFilter, UserRead, UserWithPosts
from kingpost.database import Reads
from kingpost.http import PageRead, Paging
from kingpost.pagination import Key
from kingpost.projection import Document, Listing, Lookup, Nested, Projection

SHOWN_POSTS = 20

# The expression of the unique index, so that the index is used.
EMAIL: ColumnElement[str] = func.lower(collate(User.email, "C"), type_=String)

USER = Projection(UserRead, User)
USER_WITH_POSTS = Projection(
    UserWithPosts,
    User,
    posts=Nested(User.posts, order=(Post.created_at.desc(), Post.id.desc()), limit=SHOWN_POSTS),
)
BY_ID = Lookup(USER, User.id)
BY_ID_WITH_POSTS = Lookup(USER_WITH_POSTS, User.id)
BY_EMAIL = Lookup(USER, EMAIL)
NEWEST = Listing(
    USER,
    order=(
        Key(User.created_at, "created_at", descending=True),
        Key(User.id, "id", descending=True),
    ),
    filters=UserFilter,
    where={
        "is_active": User.is_active == bindparam("is_active"),
        "email": func.lower(collate(bindparam("email", type_=String), "C")) == EMAIL,
        "created_since": User.created_at >= bindparam("created_since"),
        "created_until": User.created_at < bindparam("created_until"),
    },
)


class UserReader:
    def __init__(self, reads: Reads) -> None:
        self.reads = reads

    async def get(self, user_id: UUID) -> Document[UserRead]:
        user = await BY_ID.find(self.reads, user_id)
        if user is None:
            raise UserNotFound(id=user_id)
        return user

    async def get_with_posts(self, user_id: UUID) -> Document[UserWithPosts]:
        user = await BY_ID_WITH_POSTS.find(self.reads, user_id)
        if user is None:
            raise UserNotFound(id=user_id)
        return user

    async def get_by_email(self, email: str) -> Document[UserRead]:
        user = await BY_EMAIL.find(self.reads, email.lower())
        if user is None:
            raise UserNotFound(email=email)
        return user

    async def page(self, filters: UserFilter, paging: Paging) -> Document[PageRead[UserRead]]:
        return await paging.documents(self.reads, NEWEST, filters)


class UserRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get_for_update(self, user_id: UUID) -> User:
        user = await self.session.scalar(select(User).where(User.id == user_id).with_for_update())
        if user is None:
            raise UserNotFound(id=user_id)
        return user
