from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Float, Uuid, bindparam, cast, column, extract, func, select, update, values
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import ApiKey
from app.errors import KeyNotFound
from app.schemas.keys import KeyRead
from kingpost.database import Query, Reads
from kingpost.http import PageRead, Paging
from kingpost.pagination import Key
from kingpost.projection import Document, Listing, Lookup, Projection
from kingpost.security import StoredKey

KEY = Projection(KeyRead, ApiKey)
BY_ID = Lookup(KEY, ApiKey.id)
SECONDS_LEFT = cast(extract("epoch", ApiKey.expires_at - func.now()), Float)
STORED = Query(
    select(
        ApiKey.id,
        ApiKey.key_hash,
        ApiKey.scopes,
        SECONDS_LEFT,
        ApiKey.revoked_at,
        ApiKey.principal_id,
    ).where(ApiKey.id == bindparam("id"))
)
NEWEST = Listing(KEY, order=(Key(ApiKey.id, "id", descending=True),))


class KeyReader:
    def __init__(self, reads: Reads) -> None:
        self.reads = reads

    async def get(self, key_id: UUID) -> Document[KeyRead]:
        key = await BY_ID.find(self.reads, key_id)
        if key is None:
            raise KeyNotFound(key_id)
        return key

    async def stored(self, key_id: UUID) -> StoredKey | None:
        for row in await self.reads.fetch(STORED, {"id": key_id}):
            return StoredKey(row[0], row[1], frozenset(row[2]), row[3], row[4], row[5])
        return None

    async def page(self, paging: Paging) -> Document[PageRead[KeyRead]]:
        return await paging.documents(self.reads, NEWEST)


class KeyRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get_for_update(self, key_id: UUID) -> ApiKey:
        key = await self.session.scalar(select(ApiKey).where(ApiKey.id == key_id).with_for_update())
        if key is None:
            raise KeyNotFound(key_id)
        return key

    async def all(self) -> Sequence[ApiKey]:
        return (await self.session.scalars(select(ApiKey).order_by(ApiKey.id.desc()))).all()

    async def add(self, key: ApiKey) -> ApiKey:
        self.session.add(key)
        await self.session.flush()
        return key

    async def now(self) -> datetime:
        """The database's clock, which also decides when rows were made."""
        return (await self.session.execute(select(func.now()))).scalar_one()

    async def write_last_used(self, ages: Mapping[UUID, float]) -> None:
        used = values(column("id", Uuid), column("age", Float), name="used").data(
            list(ages.items())
        )
        at = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, used.c.age)
        write = update(ApiKey).where(ApiKey.id == used.c.id).values(last_used_at=at)
        # Last use is bookkeeping, not a change that somebody made.
        bookkeeping = {"audited": False, "synchronize_session": False}
        await self.session.execute(write, execution_options=bookkeeping)
