from uuid import UUID

from app.db.models import Post
from app.errors import UnknownAuthors
from app.repositories.posts import POST, PostReader, PostRepository
from app.schemas.posts import (
    PostBatch,
    PostBatchRead,
    PostCreate,
    PostFilter,
    PostRead,
    PostUpdate,
)
from kingpost.database import Transaction, UnitOfWork, transactional
from kingpost.http import PageRead, Paging, Precondition
from kingpost.projection import Document


class PostService:
    def __init__(self, work: UnitOfWork) -> None:
        self.work = work

    async def create(self, new: PostCreate) -> Document[PostRead]:
        return await self.work.insert(Post(**new.model_dump()), show=POST)

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

    async def get(self, post_id: UUID) -> Document[PostRead]:
        return await PostReader(self.work.reads).get(post_id)

    async def page(self, filters: PostFilter, paging: Paging) -> Document[PageRead[PostRead]]:
        return await PostReader(self.work.reads).page(filters, paging)

    async def list_of_user(self, user_id: UUID, paging: Paging) -> Document[PageRead[PostRead]]:
        return await PostReader(self.work.reads).page_of_user(user_id, paging)

    @transactional
    async def update(
        self, tx: Transaction, post_id: UUID, changes: PostUpdate, match: Precondition
    ) -> Document[PostRead]:
        post = await PostRepository(tx.session).get_for_update(post_id)
        match.check(POST.etag(post))
        for field, value in changes.model_dump(exclude_unset=True).items():
            setattr(post, field, value)
        await tx.session.flush()
        return POST.show(post)

    @transactional
    async def delete(self, tx: Transaction, post_id: UUID, match: Precondition) -> None:
        post = await PostRepository(tx.session).get_for_update(post_id)
        match.check(POST.etag(post))
        await tx.session.delete(post)
