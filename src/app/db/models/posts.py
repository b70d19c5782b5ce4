from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Computed, ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base
from kingpost.database import TimestampsMixin, UuidKeyMixin, VersionMixin

if TYPE_CHECKING:
    from app.db.models.users import User

SEARCH = (
    "setweight(to_tsvector('english'::regconfig, title), 'A')"
    " || setweight(to_tsvector('english'::regconfig, content), 'B')"
)


class Post(UuidKeyMixin, TimestampsMixin, VersionMixin, Base):
    __tablename__ = "posts"
    __audited__ = True

    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(String(2000))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    search: Mapped[str] = mapped_column(
        TSVECTOR, Computed(SEARCH, persisted=True), deferred=True, deferred_raiseload=True
    )

    author: Mapped["User"] = relationship(back_populates="posts", lazy="raise")


Index("ix_posts_created_at_id", Post.created_at, Post.id)
Index("ix_posts_author_id_created_at_id", Post.author_id, Post.created_at, Post.id)
Index("ix_posts_search", Post.search, postgresql_using="gin")
