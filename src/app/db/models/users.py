from typing import TYPE_CHECKING

from sqlalchemy import Index, String, collate, func, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base
from kingpost.database import TimestampsMixin, UuidKeyMixin, VersionMixin

if TYPE_CHECKING:
    from app.db.models.posts import Post


class User(UuidKeyMixin, TimestampsMixin, VersionMixin, Base):
    __tablename__ = "users"
    __audited__ = True

    email: Mapped[str] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(200))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())

    posts: Mapped[list["Post"]] = relationship(
        back_populates="author", lazy="raise", passive_deletes="all"
    )


# Collation C folds ASCII alike on every server, whatever its locale; addresses are ASCII.
Index("uq_users_email", func.lower(collate(User.email, "C")), unique=True)
Index("ix_users_created_at_id", User.created_at, User.id)
