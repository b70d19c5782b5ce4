from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.schemas.posts import PostSummary
from kingpost.http.types import Boolean, Email, Filter, Flag, Instant, Line, Schema, absent

Name = Annotated[Line, Field(max_length=200)]


class UserCreate(Schema):
    email: Email
    name: Name | None = None
    is_active: Boolean = True


class UserUpdate(Schema):
    email: Email = absent()
    name: Name | None = absent()
    is_active: Boolean = absent()


class UserRead(Schema):
    id: UUID
    email: str
    name: str | None
    is_active: bool
    created_at: Instant
    updated_at: Instant


class UserWithPosts(UserRead):
    posts: list[PostSummary] = Field(description="The newest posts, at most 20.")


class UserFilter(Filter):
    is_active: Flag | None = None
    email: Email | None = None
    created_since: Instant | None = Field(None, description="Created at this time or later.")
    created_until: Instant | None = Field(None, description="Created before this time.")
