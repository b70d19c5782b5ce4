"""What the clients did and saw, and what was found afterwards: the evidence that is judged."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

Outcome = Literal["ok", "fail", "info"]
"""ok: done. fail: surely not done. info: nobody knows."""


@dataclass(slots=True)
class Operation:
    """One request of one client.

    Attributes:
        process: the client, which makes one request at a time.
        kind: `create`, `rename`, `delete`, `read` or `list`.
        table: `users` or `posts`.
        token: a text that this change writes and no other; the tries of one change share it.
        key: its Idempotency-Key, if it has one.
        invoked: when it was sent, in seconds of the monotonic clock.
        completed: when it had its answer or lost its connection.
        outcome: as far as the client can know.
        status: of the answer; 0 without one.
        slug: which problem it is.
        retry_after: whether the answer says in how many seconds to try again, 1 or more.
        is_problem: whether the answer is problem details.
        id: of the row.
        version: the entity tag of the row, if it has one.
        why: what happened, for people.
    """

    process: int
    kind: str
    table: str
    token: str
    invoked: float
    key: str | None = None
    completed: float = 0.0
    outcome: Outcome = "info"
    status: int = 0
    slug: str = ""
    retry_after: bool = False
    is_problem: bool = False
    id: str | None = None
    version: str | None = None
    why: str = ""

    def __str__(self) -> str:
        what = f"{self.kind} of {self.table} {self.id or ''} ({self.token})"
        key = f" key {self.key}" if self.key else ""
        return f"client {self.process}: {what}{key}: {self.outcome} {self.status} {self.why}"


@dataclass(frozen=True, slots=True)
class Probe:
    """An answer of /livez or /readyz, asked for and come at these times; status 0 without one.

    Attributes:
        why: what it says, if it is not 200.
    """

    at: float
    path: str
    status: int
    answered: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """What the service and the database hold: bytes, descriptors, sessions."""

    rss: int
    descriptors: int
    sessions: int
    idle_in_transaction: int


@dataclass(slots=True)
class Found:
    """The tables at the end.

    Attributes:
        rows: of each table: id, token and version.
        audit: entity, entity id, action and the text of the changes.
    """

    rows: dict[str, dict[str, tuple[str, int]]]
    audit: list[tuple[str, str, str, str]]


_WROTE = "coalesce(changes->'name'->>1, changes->'title'->>1, changes->>'title', changes->>'email')"
FOUND = (
    "SELECT id::text, email, version FROM users",
    "SELECT id::text, title, version FROM posts",
    f"SELECT entity, entity_id, action, {_WROTE} FROM audit WHERE entity IN ('users', 'posts')",  # noqa: S608 - of this file
)
"""What to ask for `found`."""


def found(users: Iterable[Any], posts: Iterable[Any], audit: Iterable[Any]) -> Found:
    """The rows of the queries `FOUND`."""
    tables = {"users": users, "posts": posts}
    rows = {
        name: {str(row[0]): (str(row[1]), int(row[2])) for row in table}
        for name, table in tables.items()
    }
    return Found(rows, [(r[0], r[1], r[2], str(r[3]).partition("@")[0]) for r in audit])


@dataclass(slots=True)
class Limits:
    """What counts as kept.

    Attributes:
        answer_seconds: I9, of the 99th percentile of answers.
        hang_seconds: I9, of the slowest one.
        recovery_seconds: I6, from heal to the first success.
        ready_seconds: I8, how soon /readyz tells that the database is down.
        ready_again_seconds: I8, how soon it tells that all is well again.
        rss_bytes: I7, largest process.
        more_descriptors: I7, beyond those at the beginning.
        sessions: I7, of the service at the end.
    """

    answer_seconds: float
    hang_seconds: float
    recovery_seconds: float = 5.0
    ready_seconds: float = 2.0
    ready_again_seconds: float = 2.0
    rss_bytes: int = 400_000_000
    more_descriptors: int = 40
    sessions: int = 20


@dataclass(slots=True)
class Run:
    """One fault under load, with everything that is needed to judge it.

    Attributes:
        name: begins the tokens of this run, as others use the same tables.
        outages: when the database could not be used at all, from and until.
        doubtful: when readiness is not judged, since the fault hits at random.
        healed: when the fault was over.
        restarts: how often the service had to be started again by hand.
    """

    limits: Limits
    name: str = field(default_factory=lambda: uuid4().hex[:8])
    operations: list[Operation] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    found: Found = field(default_factory=lambda: Found({"users": {}, "posts": {}}, []))
    before: Resources | None = None
    after: Resources | None = None
    outages: list[tuple[float, float]] = field(default_factory=list)
    doubtful: list[tuple[float, float]] = field(default_factory=list)
    healed: float = 0.0
    restarts: int = 0
    log: str = ""
    secrets: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
