"""The same write, a post with its audit row and its document, by different means."""

import json
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import joinedload
from uuid_utils.compat import uuid7

from app.db.models import AuditEntry, Post, User
from app.schemas.posts import PostRead
from kingpost.database import Database, DatabaseOptions, Transaction
from kingpost.projection import Projection

ACTOR, REQUEST = "key:018f0000-0000-7000-8000-000000000000", "01a201a78e1f76b0a5230887061bd8c0"
TITLE, CONTENT = "Notes on the engine", "It might act upon other things besides number. " * 4
POOL = 10


POST = Projection(PostRead, Post)


class Row:
    """The values of one new post, as a raw driver takes them."""

    __slots__ = ("audit", "author", "changes", "id")

    def __init__(self, author: UUID) -> None:
        self.author, self.id, self.audit = author, uuid7(), uuid7()

    def post(self) -> tuple[Any, ...]:
        return (self.id, TITLE, CONTENT, self.author)

    def entry(self, **more: Any) -> tuple[Any, ...]:
        changes = {
            "id": str(self.id),
            "title": TITLE,
            "content": CONTENT,
            "author_id": str(self.author),
            "version": 1,
        }
        return (self.audit, ACTOR, REQUEST, str(self.id), json.dumps(changes | more))

    def document(self, row: Any, author: Any) -> bytes:
        names = ("id", "title", "content", "author_id", "version", "created_at", "updated_at")
        post = dict(zip(names, row, strict=True))
        del post["author_id"], post["version"]
        post["author"] = dict(zip(("id", "email", "name"), author, strict=True))
        return PostRead.model_validate(post).model_dump_json().encode()


class WithKingpost:
    """The unit of work as the service used it."""

    def __init__(self, url: str, author: UUID) -> None:
        options = DatabaseOptions(
            url, pool_size=POOL, direct_pool_size=POOL, acquire_timeout=30, slow_statement=30
        )
        self.database = Database(options, metadata=Post.metadata, audit=AuditEntry)
        self.author = author

    async def unit_of_work(self) -> bytes:
        work = self.database.unit_of_work(actor=ACTOR, request_id=REQUEST)
        return (await work.run(self._create)).model_dump_json().encode()

    async def insert(self) -> bytes:
        work = self.database.unit_of_work(actor=ACTOR, request_id=REQUEST)
        post = Post(title=TITLE, content=CONTENT, author_id=self.author)
        return (await work.insert(post, show=POST)).body

    async def _create(self, tx: Transaction) -> PostRead:
        post = Post(title=TITLE, content=CONTENT, author_id=self.author)
        tx.session.add(post)
        await tx.session.flush()
        await tx.session.refresh(post, ["author"])
        return PostRead.model_validate(post)


class WithSqlalchemy:
    """SQLAlchemy without Kingpost: sessions, Core in a transaction, Core on AUTOCOMMIT."""

    def __init__(self, url: str, author: UUID) -> None:
        self.engine: AsyncEngine = create_async_engine(url, pool_size=POOL, max_overflow=0)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self.author = author

    async def orm(self) -> bytes:
        async with self.sessions() as session, session.begin():
            post = Post(title=TITLE, content=CONTENT, author_id=self.author)
            session.add(post)
            await session.flush()
            loaded = select(Post).where(Post.id == post.id).options(joinedload(Post.author))
            await session.scalar(loaded.execution_options(populate_existing=True))
            times = {"created_at": str(post.created_at), "updated_at": str(post.updated_at)}
            session.add(self._entry(post.id, times))
            return PostRead.model_validate(post).model_dump_json().encode()

    async def core(self) -> bytes:
        row = Row(self.author)
        async with self.engine.begin() as connection:
            values = dict(zip(("id", "title", "content", "author_id"), row.post(), strict=True))
            made = (await connection.execute(_INSERT, values | {"version": 1})).one()
            author = (await connection.execute(_AUTHOR, {"key": self.author})).one()
            times = {"created_at": str(made[5]), "updated_at": str(made[6])}
            await connection.execute(_AUDIT, _columns(row.entry(**times)))
        return row.document(made, author)

    def _entry(self, key: UUID, times: dict[str, str]) -> AuditEntry:
        row = Row(self.author)
        row.id = key
        return AuditEntry(**_columns(row.entry(**times)))


_SHOWN = (
    Post.id,
    Post.title,
    Post.content,
    Post.author_id,
    Post.version,
    Post.created_at,
    Post.updated_at,
)
_INSERT = insert(Post.__table__).returning(*(column.expression for column in _SHOWN))
_AUDIT = insert(AuditEntry.__table__)
_AUTHOR = select(User.id, User.email, User.name).where(User.id == bindparam("key"))


def _columns(entry: tuple[Any, ...]) -> dict[str, Any]:
    key, actor, request, entity, changes = entry
    return {
        "id": key,
        "actor": actor,
        "request_id": request,
        "action": "create",
        "entity": "posts",
        "entity_id": entity,
        "changes": json.loads(changes),
    }
