"""What a client is told that asks too often (draft-ietf-httpapi-ratelimit-headers, section 5).

Problem
└── QuotaExceeded      429  quota-exceeded, always with Retry-After
    └── AbnormalUsage  429  abnormal-usage-detected

The others are in `kingpost.problems`.
"""

from collections.abc import Mapping

from kingpost.problems import Problem


class QuotaExceeded(Problem):
    """The client has sent as many requests as it may for now.

    Args:
        detail: a sentence about this occurrence.
        policy: the name of the limit.
        retry_after: whole seconds after which another request is accepted, for `Retry-After`.
        headers: further headers of the answer.
    """

    status = 429
    slug = "quota-exceeded"
    title = "Too many requests"

    def __init__(
        self,
        detail: str | None = None,
        *,
        policy: str,
        retry_after: int,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        told = {**(headers or {}), "Retry-After": str(retry_after)}
        super().__init__(detail, headers=told)
        self.extensions["violated-policies"] = [policy]


class AbnormalUsage(QuotaExceeded):
    """Too many keys that are not valid came from the address of the client."""

    slug = "abnormal-usage-detected"
    title = "Too many failed authentications"
