"""Repositories handle data access, services hold business logic, as the articles divide them."""

from collections.abc import Sequence
from uuid import UUID

from db import Post, User, get_db
from fastapi import Depends, HTTPException, status
from schemas import PostCreate
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload


class UserRepository:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def get(self, user_id: UUID) -> User:
        result = await self.db.execute(select(User).where(User.id == user_id))
        return result.scalar_one()


class PostRepository:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def newest(self, limit: int) -> Sequence[Post]:
        statement = (
            select(Post)
            .options(selectinload(Post.author))
            .order_by(Post.created_at.desc(), Post.id.desc())
            .limit(limit)
        )
        result = await self.db.execute(statement)
        return result.scalars().all()

    async def add(self, post: Post) -> Post:
        self.db.add(post)
        await self.db.flush()
        return post


class UserService:
    def __init__(self, repository: UserRepository) -> None:
        self.repository = repository

    async def get(self, user_id: UUID) -> User:
        try:
            return await self.repository.get(user_id)
        except NoResultFound:
            raise HTTPException(
                status_code=status.HTTP_404_NOT_FOUND, detail=f"User {user_id} not found"
            ) from None


class PostService:
    def __init__(self, repository: PostRepository, users: UserService) -> None:
        self.repository = repository
        self.users = users

    async def newest(self, limit: int) -> Sequence[Post]:
        return await self.repository.newest(limit)

    async def create(self, data: PostCreate) -> Post:
        author = await self.users.get(data.author_id)
        return await self.repository.add(
            Post(title=data.title, content=data.content, author=author)
        )


def get_user_service(db: AsyncSession = Depends(get_db)) -> UserService:
    return UserService(UserRepository(db))


def get_post_service(
    db: AsyncSession = Depends(get_db), users: UserService = Depends(get_user_service)
) -> PostService:
    return PostService(PostRepository(db), users)
