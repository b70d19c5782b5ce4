"""The table of what principals have used of their limit."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, String
from sqlalchemy.orm import Mapped, mapped_column


class RateLimitMixin:
    """The columns of a table of rate limits; it has no index, so that its updates stay cheap.

    It is UNLOGGED: after a crash of PostgreSQL, and on a promoted standby, it is empty, and
    everybody begins anew.

    Attributes:
        principal: whose requests are counted, as the audit names it.
        ends_at: the end of the window, by the clock of the database.
        used: the requests of this window that processes have leased.
        granted: how many of them the last lease was.
    """

    __table_args__: ClassVar[Any] = {"prefixes": ["UNLOGGED"]}

    principal: Mapped[str] = mapped_column(String(200), primary_key=True)
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used: Mapped[int]
    granted: Mapped[int]
