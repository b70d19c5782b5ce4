from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import Audit, MayReadAudit, Page
from app.schemas.audit import AuditFilter, AuditRead
from kingpost.http import PageRead, Route
from kingpost.projection import Document

router = APIRouter(prefix="/audit", tags=["audit"], route_class=Route)


@router.get("")
async def list_audit(
    filters: Annotated[AuditFilter, Query()], page: Page, audit: Audit, _: MayReadAudit
) -> Document[PageRead[AuditRead]]:
    return await audit.page(filters, page)
