from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db.models import ApiKey
from app.errors import KeyEnded, KeyInUse
from app.repositories.keys import KeyReader, KeyRepository
from app.schemas.keys import WHOLE_SERVICE, KeyCreate, KeyCreated, KeyRead, KeyRotation
from kingpost.database import Database, Transaction, UnitOfWork, read_only, transactional
from kingpost.http import PageRead, Paging
from kingpost.http.validation import field_error
from kingpost.problems import Invalid
from kingpost.projection import Document
from kingpost.security import StoredKey, hash_key, new_key


class KeyService:
    def __init__(
        self,
        work: UnitOfWork,
        *,
        environment: str,
        pepper: bytes,
        changed: Callable[[UUID], None],
    ) -> None:
        self.work = work
        self.environment = environment
        self.pepper = pepper
        self.changed = changed

    @transactional
    async def create(self, tx: Transaction, new: KeyCreate) -> KeyCreated:
        keys = KeyRepository(tx.session)
        days = new.expires_in_days
        expires_at = None if days is None else await keys.now() + timedelta(days=days)
        row = ApiKey(name=new.name, scopes=sorted(set(new.scopes)), expires_at=expires_at)
        return await self._add(keys, row)

    async def get(self, key_id: UUID) -> Document[KeyRead]:
        return await KeyReader(self.work.reads).get(key_id)

    async def page(self, paging: Paging) -> Document[PageRead[KeyRead]]:
        return await KeyReader(self.work.reads).page(paging)

    @read_only
    async def all(self, session: AsyncSession) -> Sequence[KeyRead]:
        return [KeyRead.model_validate(key) for key in await KeyRepository(session).all()]

    @transactional
    async def revoke(self, tx: Transaction, key_id: UUID, own: UUID | None) -> KeyRead:
        if key_id == own:
            raise KeyInUse
        keys = KeyRepository(tx.session)
        key = await keys.get_for_update(key_id)
        if key.revoked_at is None:
            key.revoked_at = await keys.now()
            await tx.session.flush()
        tx.after_commit(lambda: self.changed(key_id))
        return KeyRead.model_validate(key)

    @transactional
    async def rotate(self, tx: Transaction, key_id: UUID, rotation: KeyRotation) -> KeyCreated:
        keys = KeyRepository(tx.session)
        old = await keys.get_for_update(key_id)
        now = await keys.now()
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise KeyEnded
        ends_at = now + timedelta(seconds=rotation.overlap_seconds)
        row = ApiKey(
            name=old.name,
            scopes=old.scopes,
            expires_at=old.expires_at,
            principal_id=old.principal_id or old.id,
        )
        successor = await self._add(keys, row)
        old.expires_at = min(ends_at, old.expires_at or ends_at)
        tx.after_commit(lambda: self.changed(key_id))
        return successor

    async def _add(self, keys: KeyRepository, row: ApiKey) -> KeyCreated:
        row.id = uuid7()
        text = new_key(row.id, self.environment)
        row.key_hash = hash_key(text, self.pepper)
        read = KeyRead.model_validate(await keys.add(row))
        return KeyCreated(**dict(read), key=text)


class KeyStore:
    """What authentication asks of the keys, outside any use case."""

    def __init__(self, work: UnitOfWork) -> None:
        self.work = work

    async def find(self, key_id: UUID) -> StoredKey | None:
        return await KeyReader(self.work.reads).stored(key_id)

    @transactional
    async def write_last_used(self, tx: Transaction, ages: Mapping[UUID, float]) -> None:
        await KeyRepository(tx.session).write_last_used(ages)


class KeyCommands:
    """The keys for `kingpost keys`, which is trusted as whoever can read the settings is."""

    def __init__(self, make: Callable[[UnitOfWork], KeyService], database: Database) -> None:
        self.make = make
        self.database = database

    async def create(
        self, name: str, scopes: Sequence[str], expires_in_days: int | None = None
    ) -> KeyCreated:
        given = {"name": name, "scopes": list(scopes), "expires_in_days": expires_in_days}
        try:
            new = KeyCreate.model_validate(given)
        except ValidationError as error:
            raise Invalid(errors=[field_error(item) for item in error.errors()]) from None
        return await self._service().create(new)

    async def list(self) -> Sequence[KeyRead]:
        return await self._service().all()

    async def revoke(self, key_id: UUID) -> None:
        await self._service().revoke(key_id, None)

    async def rotate(self, key_id: UUID) -> KeyCreated:
        return await self._service().rotate(key_id, KeyRotation())

    def all_scopes(self) -> Sequence[str]:
        return WHOLE_SERVICE

    def _service(self) -> KeyService:
        return self.make(self.database.unit_of_work(actor="command line"))
