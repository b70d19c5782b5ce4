from sqlalchemy.ext.asyncio import AsyncSession

from app.repositories.audit import AuditRepository
from app.schemas.audit import AuditFilter, AuditRead
from kingpost.database import UnitOfWork, read_only
from kingpost.http import PageRead, Paging


class AuditService:
    def __init__(self, work: UnitOfWork) -> None:
        self.work = work

    @read_only
    async def page(
        self, session: AsyncSession, filters: AuditFilter, paging: Paging
    ) -> PageRead[AuditRead]:
        return await AuditRepository(session).page(filters, paging)
