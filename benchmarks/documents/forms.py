"""The same documents in SQL: as one would write them by hand, and as a projection has them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import DateTime, ForeignKey, Select, literal_column
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from kingpost.http.types import Instant
from kingpost.projection import Projection

TABLES = """
    CREATE TABLE users (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL, name text,
        created_at timestamptz NOT NULL
    );
    CREATE TABLE posts (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title text NOT NULL, content text NOT NULL,
        author_id uuid NOT NULL REFERENCES users, created_at timestamptz NOT NULL
    );
    INSERT INTO users (email, name, created_at)
    SELECT n || '@example.org', 'User ' || n, now() - n * interval '1.000001 s'
    FROM generate_series(1, 1000) n;
    INSERT INTO posts (title, content, author_id, created_at)
    SELECT 'Post ' || n, repeat('Some "quoted" words, ', 10), id, now() - n * interval '1.000001 s'
    FROM generate_series(1, 20) n, users;
    CREATE INDEX ON posts (created_at, id);
    ANALYZE users, posts;
"""


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str]
    content: Mapped[str]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    author: Mapped[User] = relationship(lazy="raise")


class Author(BaseModel):
    id: UUID
    email: str
    name: str | None


class UserRead(Author):
    created_at: Instant


class PostRead(BaseModel):
    id: UUID
    title: str
    content: str
    created_at: Instant
    author: Author


def sql(statement: Select[str]) -> str:
    return str(statement.compile(dialect=asyncpg.dialect()))


def moment(column: str) -> str:
    form = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
    return f"replace(to_char({column} AT TIME ZONE 'UTC', {form}), '.000000Z', 'Z')"


BY_KEY = "FROM users u WHERE id = $1"
NEWEST = "ORDER BY p.created_at DESC, p.id DESC LIMIT 20"
AUTHOR = "'id', u.id, 'email', u.email, 'name', u.name"
POST = f"'id', p.id, 'title', title, 'content', content, 'created_at', {moment('p.created_at')}"
JOINED = f"FROM posts p JOIN users u ON u.id = p.author_id {NEWEST}"

ROW = {
    "plain columns, no JSON": f"SELECT id, email, name, created_at {BY_KEY}",
    "projection (`concat`)": sql(Projection(UserRead, User).select()) + " WHERE id = $1",
    "`row_to_json`": "SELECT row_to_json(d) FROM ("
    f"SELECT id, email, name, {moment('created_at')} AS created_at {BY_KEY}) d",
    "`json_build_object`": f"SELECT json_build_object({AUTHOR}, 'created_at', "
    f"{moment('created_at')}) {BY_KEY}",
}
PAGE = {
    "plain columns, no JSON": "SELECT p.id, title, content, p.created_at, u.id, email, name "
    + JOINED,
    "projection (`concat`, subselect)": sql(
        Projection(PostRead, Post)
        .select()
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(literal_column("20"))
    ),
    "`row_to_json`, join": "SELECT row_to_json(d) FROM (SELECT p.id, title, content, "
    f"{moment('p.created_at')} AS created_at, (SELECT row_to_json(a) FROM "
    f"(SELECT u.id, u.email, u.name) a) AS author {JOINED}) d",
    "`json_build_object`, join": f"SELECT json_build_object({POST}, 'author', "
    f"json_build_object({AUTHOR})) {JOINED}",
}
