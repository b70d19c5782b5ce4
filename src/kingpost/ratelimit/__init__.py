"""Rate limits: so many requests of a principal in a window, over all processes together."""

from kingpost.ratelimit.limiter import RateLimiter
from kingpost.ratelimit.model import RateLimitMixin
from kingpost.ratelimit.problems import AbnormalUsage, QuotaExceeded

__all__ = ["AbnormalUsage", "QuotaExceeded", "RateLimitMixin", "RateLimiter"]
