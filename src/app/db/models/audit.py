from sqlalchemy import Index

from app.db.base import Base
from kingpost.database import AuditEntryMixin


class AuditEntry(AuditEntryMixin, Base):
    __tablename__ = "audit"


Index("ix_audit_at_id", AuditEntry.at, AuditEntry.id)
Index(
    "ix_audit_entity_entity_id_at_id",
    AuditEntry.entity,
    AuditEntry.entity_id,
    AuditEntry.at,
    AuditEntry.id,
)
Index("ix_audit_actor_at_id", AuditEntry.actor, AuditEntry.at, AuditEntry.id)
