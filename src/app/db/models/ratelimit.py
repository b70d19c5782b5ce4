from app.db.base import Base
from kingpost.ratelimit import RateLimitMixin


class RateLimit(RateLimitMixin, Base):
    __tablename__ = "rate_limits"
