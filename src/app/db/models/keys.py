from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from kingpost.database import TimestampsMixin, UuidKeyMixin, VersionMixin


class ApiKey(UuidKeyMixin, TimestampsMixin, VersionMixin, Base):
    __tablename__ = "keys"
    __audited__ = True
    __audit_secret__ = frozenset({"key_hash"})
    __unversioned__ = frozenset({"last_used_at"})

    name: Mapped[str] = mapped_column(String(100))
    # The first key of a chain of rotations; null for one that succeeds no other.
    principal_id: Mapped[UUID | None]
    key_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(50)))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
