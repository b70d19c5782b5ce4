"""Use cases as methods: `@transactional` and `@read_only`."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from sqlalchemy.ext.asyncio import AsyncSession

from kingpost.database.unit_of_work import Transaction, UnitOfWork


class HasWork(Protocol):
    """A service: it has the unit of work that its use cases run in."""

    @property
    def work(self) -> UnitOfWork:
        """Where the use cases run."""
        ...


P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=HasWork)

_Written = Callable[Concatenate[S, Transaction, P], Awaitable[T]]
_Read = Callable[Concatenate[S, AsyncSession, P], Awaitable[T]]
_Called = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


@overload
def transactional(method: _Written[S, P, T], /) -> _Called[S, P, T]: ...


@overload
def transactional(
    *, isolation: str | None = None
) -> Callable[[_Written[S, P, T]], _Called[S, P, T]]: ...


def transactional(method: Any = None, /, *, isolation: str | None = None) -> Any:
    """Makes a method of a service a use case in a transaction of its own.

        @transactional
        async def create(self, tx: Transaction, new: UserCreate) -> UserRead: ...

    is called as `await users.create(new)`. It may be run again, see `UnitOfWork.run`. A method
    that another one calls in the same transaction is left undecorated and takes the `tx`.

    Args:
        method: its first argument after `self` is the transaction.
        isolation: see `UnitOfWork.run`.

    Returns:
        The method without that argument.
    """

    def decorate(use: _Written[S, P, T]) -> _Called[S, P, T]:
        @wraps(use)
        async def run(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
            return await self.work.run(
                lambda tx: use(self, tx, *args, **kwargs), isolation=isolation
            )

        return cast(_Called[S, P, T], run)

    return decorate if method is None else decorate(method)


def read_only(method: _Read[S, P, T]) -> _Called[S, P, T]:
    """Makes a method of a service a read without a transaction.

        @read_only
        async def get(self, session: AsyncSession, user_id: UUID) -> UserRead: ...

    is called as `await users.get(user_id)`. It may be run again, see `Database.read`.

    Args:
        method: its first argument after `self` is the session.

    Returns:
        The method without that argument.
    """

    @wraps(method)
    async def run(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.work.read(lambda session: method(self, session, *args, **kwargs))

    return cast(_Called[S, P, T], run)
