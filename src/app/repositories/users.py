from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, collate, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.interfaces import ORMOption

from app.db.models import Post, User
from app.errors import UserNotFound
from app.schemas.users import UserFilter, UserRead
from kingpost.http import PageRead, Paging
from kingpost.pagination import Key

NEWEST_FIRST = (
    Key(User.created_at, "created_at", descending=True),
    Key(User.id, "id", descending=True),
)


class UserRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, user_id: UUID, *options: ORMOption) -> User:
        user = await self.session.scalar(select(User).where(User.id == user_id).options(*options))
        if user is None:
            raise UserNotFound(id=user_id)
        return user

    async def get_for_update(self, user_id: UUID) -> User:
        user = await self.session.scalar(select(User).where(User.id == user_id).with_for_update())
        if user is None:
            raise UserNotFound(id=user_id)
        return user

    async def get_by_email(self, email: str) -> User:
        user = await self.session.scalar(select(User).where(has_email(email)))
        if user is None:
            raise UserNotFound(email=email)
        return user

    async def newest_posts(self, user_id: UUID, limit: int) -> Sequence[Post]:
        newest = select(Post).where(Post.author_id == user_id)
        newest = newest.order_by(Post.created_at.desc(), Post.id.desc()).limit(limit)
        return (await self.session.scalars(newest)).all()

    async def page(self, filters: UserFilter, paging: Paging) -> PageRead[UserRead]:
        return await paging.fetch(self.session, filtered(filters), NEWEST_FIRST, UserRead)

    async def add(self, user: User) -> User:
        self.session.add(user)
        await self.session.flush()
        return user


def filtered(filters: UserFilter) -> Select[User]:
    users = select(User)
    if filters.is_active is not None:
        users = users.where(User.is_active == filters.is_active)
    if filters.email is not None:
        users = users.where(has_email(filters.email))
    if filters.created_since is not None:
        users = users.where(User.created_at >= filters.created_since)
    if filters.created_until is not None:
        users = users.where(User.created_at < filters.created_until)
    return users


def has_email(email: str) -> ColumnElement[bool]:
    # The expression of the unique index, so that the index is used.
    return func.lower(collate(User.email, "C")) == func.lower(collate(literal(email), "C"))
