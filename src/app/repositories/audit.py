from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import AuditEntry
from app.schemas.audit import AuditFilter, AuditRead
from kingpost.http import PageRead, Paging
from kingpost.pagination import Key

NEWEST_FIRST = (
    Key(AuditEntry.at, "at", descending=True),
    Key(AuditEntry.id, "id", descending=True),
)


class AuditRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def page(self, filters: AuditFilter, paging: Paging) -> PageRead[AuditRead]:
        return await paging.fetch(self.session, filtered(filters), NEWEST_FIRST, AuditRead)


def filtered(filters: AuditFilter) -> Select[AuditEntry]:
    entries = select(AuditEntry)
    if filters.entity is not None:
        entries = entries.where(AuditEntry.entity == filters.entity)
    if filters.entity_id is not None:
        entries = entries.where(AuditEntry.entity_id == str(filters.entity_id))
    if filters.actor is not None:
        entries = entries.where(AuditEntry.actor == filters.actor)
    if filters.since is not None:
        entries = entries.where(AuditEntry.at >= filters.since)
    if filters.until is not None:
        entries = entries.where(AuditEntry.at < filters.until)
    return entries
