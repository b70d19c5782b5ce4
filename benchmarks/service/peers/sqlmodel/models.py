"""The full-stack template's way with SQLModel: a base, a table, a `Create` and a `Public`."""

import uuid
from datetime import UTC, datetime

from sqlalchemy import DateTime
from sqlmodel import Field, Relationship, SQLModel


def get_datetime_utc() -> datetime:
    return datetime.now(UTC)


class UserBase(SQLModel):
    email: str = Field(unique=True, index=True, max_length=255)
    name: str | None = Field(default=None, max_length=200)
    is_active: bool = True


class User(UserBase, table=True):
    __tablename__ = "users"

    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    created_at: datetime = Field(default_factory=get_datetime_utc, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=get_datetime_utc, sa_type=DateTime(timezone=True))
    posts: list["Post"] = Relationship(back_populates="author", cascade_delete=True)


class UserPublic(UserBase):
    id: uuid.UUID
    created_at: datetime
    updated_at: datetime


class PostBase(SQLModel):
    title: str = Field(max_length=200)
    content: str = Field(max_length=2000)


class PostCreate(PostBase):
    author_id: uuid.UUID


class Post(PostBase, table=True):
    __tablename__ = "posts"

    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    author_id: uuid.UUID = Field(foreign_key="users.id", nullable=False, ondelete="CASCADE")
    created_at: datetime = Field(default_factory=get_datetime_utc, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=get_datetime_utc, sa_type=DateTime(timezone=True))
    author: User | None = Relationship(back_populates="posts")


class PostAuthor(SQLModel):
    id: uuid.UUID
    email: str
    name: str | None


class PostPublic(PostBase):
    id: uuid.UUID
    created_at: datetime
    updated_at: datetime
    author: PostAuthor


class PostsPublic(SQLModel):
    data: list[PostPublic]
