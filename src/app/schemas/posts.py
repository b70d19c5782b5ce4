from typing import Annotated
from uuid import UUID

from pydantic import Field

from kingpost.http.types import Filter, Id, Instant, Line, Schema, Text, absent

Title = Annotated[Line, Field(max_length=200)]
Content = Annotated[Text, Field(max_length=2000)]


class PostCreate(Schema):
    title: Title
    content: Content
    author_id: Id


class PostUpdate(Schema):
    title: Title = absent()
    content: Content = absent()


class PostAuthor(Schema):
    id: UUID
    email: str
    name: str | None


class PostSummary(Schema):
    id: UUID
    title: str
    content: str
    created_at: Instant
    updated_at: Instant


class PostRead(PostSummary):
    author: PostAuthor


class PostFilter(Filter):
    author_id: Id | None = None
    created_since: Instant | None = Field(None, description="Created at this time or later.")
    created_until: Instant | None = Field(None, description="Created before this time.")
    q: Annotated[Line, Field(max_length=200)] | None = Field(
        None, description='Full-text search, the best match first: `"a phrase" or word -without`.'
    )


class PostBatch(Schema):
    items: list[PostCreate] = Field(min_length=1, max_length=500)


class PostBatchRead(Schema):
    items: list[PostRead]
