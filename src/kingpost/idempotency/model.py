"""The table of remembered answers."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, LargeBinary, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column


class IdempotencyKeyMixin:
    """The columns of a table of remembered answers; it needs an index on `expires_at`.

    Attributes:
        principal: who sent the request, its `Principal.subject`; nobody else's key matches.
        key_hash: SHA-256 of the key, 32 bytes; the key itself is not stored.
        request: method and route, for people.
        fingerprint: SHA-256 of what was asked for, 32 bytes.
        is_sealed: the body is encrypted, and the headers are in it.
        status: of the answer.
        headers: of the answer, as pairs.
        body: of the answer.
        created_at: when the transaction began, by the clock of the database.
        expires_at: from then on the key is as good as unused.
    """

    principal: Mapped[str] = mapped_column(String(200), primary_key=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    request: Mapped[str] = mapped_column(String)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    is_sealed: Mapped[bool]
    status: Mapped[int]
    headers: Mapped[list[Any]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
