from app.repositories.audit import AuditReader
from app.schemas.audit import AuditFilter, AuditRead
from kingpost.database import UnitOfWork
from kingpost.http import PageRead, Paging
from kingpost.projection import Document


class AuditService:
    def __init__(self, work: UnitOfWork) -> None:
        self.work = work

    async def page(self, filters: AuditFilter, paging: Paging) -> Document[PageRead[AuditRead]]:
        return await AuditReader(self.work.reads).page(filters, paging)
