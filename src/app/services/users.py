from uuid import UUID

from app.db.models import Post, User
from app.repositories.users import USER, UserReader, UserRepository
from app.schemas.users import UserCreate, UserFilter, UserRead, UserUpdate, UserWithPosts
from kingpost.database import Transaction, UnitOfWork, transactional
from kingpost.http import PageRead, Paging, Precondition
from kingpost.projection import Document


class UserService:
    def __init__(self, work: UnitOfWork) -> None:
        self.work = work

    async def create(self, new: UserCreate) -> Document[UserRead]:
        return await self.work.insert(User(**new.model_dump()), show=USER)

    async def get(self, user_id: UUID) -> Document[UserRead]:
        return await UserReader(self.work.reads).get(user_id)

    async def get_with_posts(self, user_id: UUID) -> Document[UserWithPosts]:
        return await UserReader(self.work.reads).get_with_posts(user_id)

    async def get_by_email(self, email: str) -> Document[UserRead]:
        return await UserReader(self.work.reads).get_by_email(email)

    async def page(self, filters: UserFilter, paging: Paging) -> Document[PageRead[UserRead]]:
        return await UserReader(self.work.reads).page(filters, paging)

    @transactional
    async def update(
        self, tx: Transaction, user_id: UUID, changes: UserUpdate, match: Precondition
    ) -> Document[UserRead]:
        user = await UserRepository(tx.session).get_for_update(user_id)
        match.check(USER.etag(user))
        for field, value in changes.model_dump(exclude_unset=True).items():
            setattr(user, field, value)
        await tx.session.flush()
        return USER.show(user)

    @transactional
    async def delete(self, tx: Transaction, user_id: UUID, match: Precondition) -> None:
        # The lock keeps new posts of this user out until the user is gone.
        user = await UserRepository(tx.session).get_for_update(user_id)
        match.check(USER.etag(user))
        await tx.delete_where(Post, Post.author_id == user_id)
        await tx.session.delete(user)
