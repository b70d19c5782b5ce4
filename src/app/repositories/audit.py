from sqlalchemy import Text, Uuid, bindparam, cast

from app.db.models import AuditEntry
from app.schemas.audit import AuditFilter, AuditRead
from kingpost.database import Reads
from kingpost.http import PageRead, Paging
from kingpost.pagination import Key
from kingpost.projection import Document, Listing, Projection

NEWEST = Listing(
    Projection(AuditRead, AuditEntry),
    order=(
        Key(AuditEntry.at, "at", descending=True),
        Key(AuditEntry.id, "id", descending=True),
    ),
    filters=AuditFilter,
    where={
        "entity": AuditEntry.entity == bindparam("entity"),
        "entity_id": AuditEntry.entity_id == cast(bindparam("entity_id", type_=Uuid), Text),
        "actor": AuditEntry.actor == bindparam("actor"),
        "since": AuditEntry.at >= bindparam("since"),
        "until": AuditEntry.at < bindparam("until"),
    },
)


class AuditReader:
    def __init__(self, reads: Reads) -> None:
        self.reads = reads

    async def page(self, filters: AuditFilter, paging: Paging) -> Document[PageRead[AuditRead]]:
        return await paging.documents(self.reads, NEWEST, filters)
