"""What comes in and goes out: Pydantic models that read from the ORM's objects."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class UserRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    name: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


class PostAuthor(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    name: str | None


class PostRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    content: str
    created_at: datetime
    updated_at: datetime
    author: PostAuthor


class PostCreate(BaseModel):
    title: str = Field(max_length=200)
    content: str = Field(max_length=2000)
    author_id: UUID
