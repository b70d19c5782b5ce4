"""Models and sessions as the two articles write them.

The engine pings before use, the session commits after the route's `yield`. Where the articles leave
20 connections and 10 more open, this has as many as every peer.
"""

import uuid
from collections.abc import AsyncGenerator
from datetime import datetime

from pydantic_settings import BaseSettings
from sqlalchemy import Boolean, DateTime, ForeignKey, String, func
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, sessionmaker


class Settings(BaseSettings):
    DRIVER: str = "asyncpg"
    PGHOST: str
    PGPORT: int
    PGDATABASE: str
    PGUSER: str
    POOL_SIZE: int = 10
    DEBUG: bool = False

    @property
    def DATABASE_URL(self) -> str:  # noqa: N802 - the articles write settings so
        where = f"host={self.PGHOST}&port={self.PGPORT}"
        return f"postgresql+{self.DRIVER}://{self.PGUSER}@/{self.PGDATABASE}?{where}"


settings = Settings()

engine = create_async_engine(
    settings.DATABASE_URL,
    echo=settings.DEBUG,
    pool_pre_ping=True,
    pool_size=settings.POOL_SIZE,
    max_overflow=0,
)

AsyncSessionLocal = sessionmaker(bind=engine, class_=AsyncSession, expire_on_commit=False)


async def get_db() -> AsyncGenerator[AsyncSession, None]:
    async with AsyncSessionLocal() as session:
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise


class Base(DeclarativeBase):
    pass


class TimestampMixin:
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=func.now(), server_default=func.now()
    )
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True),
        default=func.now(),
        onupdate=func.now(),
        server_default=func.now(),
    )


class User(Base, TimestampMixin):
    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    email: Mapped[str] = mapped_column(String(255), unique=True, index=True)
    name: Mapped[str | None] = mapped_column(String(200))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)

    posts: Mapped[list["Post"]] = relationship(
        "Post", back_populates="author", cascade="all, delete-orphan"
    )


class Post(Base, TimestampMixin):
    __tablename__ = "posts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(String(2000))
    author_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))

    author: Mapped["User"] = relationship("User", back_populates="posts")
