"""Models on advanced-alchemy's bases, as its documentation teaches.

Its bases with a UUID also have a sentinel column, which the tables lack: hence the `id` here.
"""

from uuid import UUID, uuid4

from advanced_alchemy.base import DefaultBase
from advanced_alchemy.mixins import AuditColumns
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship


class User(AuditColumns, DefaultBase):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(default=uuid4, primary_key=True)
    email: Mapped[str] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(200))
    is_active: Mapped[bool] = mapped_column(default=True)


class Post(AuditColumns, DefaultBase):
    __tablename__ = "posts"

    id: Mapped[UUID] = mapped_column(default=uuid4, primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(String(2000))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    author: Mapped[User] = relationship(lazy="joined", innerjoin=True, viewonly=True)
