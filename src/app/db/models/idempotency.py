from sqlalchemy import Index

from app.db.base import Base
from kingpost.idempotency import IdempotencyKeyMixin


class IdempotencyKey(IdempotencyKeyMixin, Base):
    __tablename__ = "idempotency_keys"


Index("ix_idempotency_keys_expires_at", IdempotencyKey.expires_at)
