from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Post, User
from app.repositories.users import UserRepository
from app.schemas.posts import PostSummary
from app.schemas.users import UserCreate, UserFilter, UserRead, UserUpdate, UserWithPosts
from kingpost.database import Transaction, UnitOfWork, read_only, transactional
from kingpost.http import PageRead, Paging

SHOWN_POSTS = 20


class UserService:
    def __init__(self, work: UnitOfWork) -> None:
        self.work = work

    @transactional
    async def create(self, tx: Transaction, new: UserCreate) -> UserRead:
        user = await UserRepository(tx.session).add(User(**new.model_dump()))
        return UserRead.model_validate(user)

    @read_only
    async def get(self, session: AsyncSession, user_id: UUID) -> UserRead:
        return UserRead.model_validate(await UserRepository(session).get(user_id))

    @read_only
    async def get_with_posts(self, session: AsyncSession, user_id: UUID) -> UserWithPosts:
        users = UserRepository(session)
        user = UserRead.model_validate(await users.get(user_id))
        newest = await users.newest_posts(user_id, SHOWN_POSTS)
        posts = [PostSummary.model_validate(post) for post in newest]
        return UserWithPosts(**dict(user), posts=posts)

    @read_only
    async def get_by_email(self, session: AsyncSession, email: str) -> UserRead:
        return UserRead.model_validate(await UserRepository(session).get_by_email(email))

    @read_only
    async def page(
        self, session: AsyncSession, filters: UserFilter, paging: Paging
    ) -> PageRead[UserRead]:
        return await UserRepository(session).page(filters, paging)

    @transactional
    async def update(self, tx: Transaction, user_id: UUID, changes: UserUpdate) -> UserRead:
        user = await UserRepository(tx.session).get_for_update(user_id)
        for field, value in changes.model_dump(exclude_unset=True).items():
            setattr(user, field, value)
        await tx.session.flush()
        return UserRead.model_validate(user)

    @transactional
    async def delete(self, tx: Transaction, user_id: UUID) -> None:
        # The lock keeps new posts of this user out until the user is gone.
        user = await UserRepository(tx.session).get_for_update(user_id)
        await tx.delete_where(Post, Post.author_id == user_id)
        await tx.session.delete(user)
