"""What comes in and goes out: msgspec structs, the fastest that Litestar knows."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct


class UserRead(Struct):
    id: UUID
    email: str
    name: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


class PostAuthor(Struct):
    id: UUID
    email: str
    name: str | None


class PostRead(Struct):
    id: UUID
    title: str
    content: str
    created_at: datetime
    updated_at: datetime
    author: PostAuthor


class PostCreate(Struct):
    title: Annotated[str, Meta(max_length=200)]
    content: Annotated[str, Meta(max_length=2000)]
    author_id: UUID
