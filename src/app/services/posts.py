from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Post
from app.errors import UnknownAuthors
from app.repositories.posts import PostRepository
from app.repositories.users import UserRepository
from app.schemas.posts import (
    PostBatch,
    PostBatchRead,
    PostCreate,
    PostFilter,
    PostRead,
    PostUpdate,
)
from kingpost.database import Transaction, UnitOfWork, read_only, transactional
from kingpost.http import PageRead, Paging


class PostService:
    def __init__(self, work: UnitOfWork) -> None:
        self.work = work

    @transactional
    async def create(self, tx: Transaction, new: PostCreate) -> PostRead:
        post = await PostRepository(tx.session).add(Post(**new.model_dump()))
        return PostRead.model_validate(post)

    @transactional
    async def create_batch(self, tx: Transaction, batch: PostBatch) -> PostBatchRead:
        posts = PostRepository(tx.session)
        authors = await posts.authors(item.author_id for item in batch.items)
        unknown = [n for n, item in enumerate(batch.items) if item.author_id not in authors]
        if unknown:
            raise UnknownAuthors(unknown)
        added = await posts.add_all(
            [
                Post(title=new.title, content=new.content, author=authors[new.author_id])
                for new in batch.items
            ]
        )
        return PostBatchRead(items=[PostRead.model_validate(post) for post in added])

    @read_only
    async def get(self, session: AsyncSession, post_id: UUID) -> PostRead:
        return PostRead.model_validate(await PostRepository(session).get(post_id))

    @read_only
    async def page(
        self, session: AsyncSession, filters: PostFilter, paging: Paging
    ) -> PageRead[PostRead]:
        return await PostRepository(session).page(filters, paging)

    @read_only
    async def list_of_user(
        self, session: AsyncSession, user_id: UUID, paging: Paging
    ) -> PageRead[PostRead]:
        page = await PostRepository(session).page(PostFilter(author_id=user_id), paging)
        if not page.items:
            await UserRepository(session).get(user_id)
        return page

    @transactional
    async def update(self, tx: Transaction, post_id: UUID, changes: PostUpdate) -> PostRead:
        post = await PostRepository(tx.session).get_for_update(post_id)
        for field, value in changes.model_dump(exclude_unset=True).items():
            setattr(post, field, value)
        await tx.session.flush()
        return PostRead.model_validate(post)

    @transactional
    async def delete(self, tx: Transaction, post_id: UUID) -> None:
        post = await PostRepository(tx.session).get_for_update(post_id)
        await tx.session.delete(post)
