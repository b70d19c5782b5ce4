"""Every error of the domain.

kingpost.problems.NotFound     404
├── UserNotFound
├── PostNotFound
└── KeyNotFound
kingpost.problems.Conflict     409
├── KeyInUse
└── KeyEnded
kingpost.problems.InvalidReference     422
└── UnknownAuthors
"""

from collections.abc import Iterable
from uuid import UUID

from kingpost.problems import Conflict, FieldError, InvalidReference, NotFound


class UserNotFound(NotFound):
    def __init__(self, *, id: UUID | None = None, email: str | None = None) -> None:  # noqa: A002 - the field's name
        searched = f"id {id}" if email is None else f"email {email}"
        super().__init__(f"User with {searched} not found")


class PostNotFound(NotFound):
    def __init__(self, post_id: UUID) -> None:
        super().__init__(f"Post with id {post_id} not found")


class KeyNotFound(NotFound):
    def __init__(self, key_id: UUID) -> None:
        super().__init__(f"Key with id {key_id} not found")


class KeyInUse(Conflict):
    def __init__(self) -> None:
        super().__init__("A key cannot revoke itself; use another key or the command line")


class KeyEnded(Conflict):
    def __init__(self) -> None:
        super().__init__("The key has been revoked or has expired; create a new one")


class UnknownAuthors(InvalidReference):
    def __init__(self, positions: Iterable[int]) -> None:
        detail = "There is no such user."
        super().__init__(
            errors=[FieldError(f"/body/items/{n}/author_id", "unknown", detail) for n in positions]
        )
