"""All tables: whoever needs the whole schema imports it from here."""

from app.db.base import Base
from app.db.models.audit import AuditEntry
from app.db.models.idempotency import IdempotencyKey
from app.db.models.keys import ApiKey
from app.db.models.posts import Post
from app.db.models.ratelimit import RateLimit
from app.db.models.users import User

metadata = Base.metadata

__all__ = [
    "ApiKey",
    "AuditEntry",
    "IdempotencyKey",
    "Post",
    "RateLimit",
    "User",
    "metadata",
]
