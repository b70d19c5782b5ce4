"""Which statements of a version fail after a change that did not fail before."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Self, TypeVar

from kingpost.migrations.rehearsal.report import TrafficError, Version
from kingpost.migrations.rehearsal.traffic import TrafficStatement
from kingpost.migrations.rehearsal.wire import Wire, first_line, state_of

T = TypeVar("T")
APPLICATION = "kingpost-probe"
_SETTINGS = {"lock_timeout": "5s", "statement_timeout": "30s", "client_min_messages": "error"}


class Probe:
    """Runs statements of a version one after the other, and tells which began to fail.

    All of them run in a transaction that is rolled back, so that nothing but sequences moves and
    each finds what the first one found. One connection stays, with everything prepared before
    the change; a second one is new at each check.

    Args:
        url: of the database, with an asynchronous driver.
        statements: of the traffic, in order.
    """

    def __init__(self, url: str, statements: Sequence[TrafficStatement]) -> None:
        self._url = url
        self._statements = list({statement.sql: statement for statement in statements}.values())
        self._known: list[set[str]] = [set() for _ in self._statements]
        self._loop = OwnLoop()
        self._warm = Wire(url, APPLICATION, _SETTINGS)

    def __enter__(self) -> Self:
        try:
            self._loop.run(self._learn)
        except BaseException:
            self._loop.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._loop.run(self._warm.close)
        finally:
            self._loop.close()

    @property
    def working(self) -> int:
        """How many of the statements succeed before the change."""
        return sum(not states for states in self._known)

    @property
    def misfits(self) -> tuple[str, ...]:
        """Statements that are wrong SQL or do not fit the schema (SQLSTATE class 42)."""
        pairs = zip(self._statements, self._known, strict=True)
        return tuple(
            statement.sql for statement, states in pairs if any(s.startswith("42") for s in states)
        )

    def check(self, *, version: Version = "old", undo: bool = False) -> tuple[TrafficError, ...]:
        """Runs every statement on both connections.

        Args:
            version: whose statements they are.
            undo: whether the way back has been gone.

        Returns:
            The failures that the same statement did not have at first.
        """
        found = self._loop.run(self._check)
        return tuple(replace(error, version=version, undo=undo) for error in found)

    async def _learn(self) -> None:
        await self._warm.open()
        for _ in range(2):
            for number, error in await self._round(self._warm):
                self._known[number].add(error.sqlstate)

    async def _check(self) -> list[TrafficError]:
        await self._warm.reopen_if_dead()
        fresh = Wire(self._url, APPLICATION, _SETTINGS)
        fresh.unprepared |= self._warm.unprepared
        failures = await self._round(self._warm)
        await fresh.open()
        try:
            failures += await self._round(fresh)
        finally:
            await fresh.close()
        merged: dict[tuple[int, str], TrafficError] = {}
        for number, error in failures:
            if error.sqlstate not in self._known[number]:
                before = merged.get((number, error.sqlstate))
                merged[number, error.sqlstate] = _merged(before, error) if before else error
        return list(merged.values())

    async def _round(self, wire: Wire) -> list[tuple[int, TrafficError]]:
        """One run of everything; the failures by number of the statement."""
        failures = []
        await wire.begin()
        await wire.run("SET CONSTRAINTS ALL IMMEDIATE")
        for number, statement in enumerate(self._statements):
            error = await _attempt(wire, number, sql := statement.sql)
            if error is not None and not await self._does_otherwise(wire, number, error):
                await wire.reopen_if_dead()
                heals = await _attempt(wire, number, sql) is None
                failures.append((number, replace(error, heals=heals)))
        await wire.run("ROLLBACK")
        return failures

    async def _does_otherwise(self, wire: Wire, number: int, error: TrafficError) -> bool:
        statement, spare = self._statements[number], number + len(self._statements)
        if not statement.may_do_otherwise(error.sqlstate):
            return False
        return await _attempt(wire, spare, statement.otherwise) is None


def _merged(one: TrafficError, other: TrafficError) -> TrafficError:
    return replace(one, heals=one.heals and other.heals, times=one.times + other.times)


async def _attempt(wire: Wire, number: int, sql: str) -> TrafficError | None:
    try:
        await wire.run("SAVEPOINT kingpost")
        await wire.execute(number, sql)
        await wire.run("RELEASE SAVEPOINT kingpost")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the traffic would see
        return await _explained(wire, number, sql, error)
    return None


async def _explained(wire: Wire, number: int, sql: str, error: Exception) -> TrafficError | None:
    failure = TrafficError(state_of(error), first_line(error), sql)
    try:
        await wire.run("ROLLBACK TO SAVEPOINT kingpost")
        await wire.forget(number)
    except Exception:  # noqa: BLE001 - the connection is gone, or the statement ended the transaction
        return failure
    if wire.cannot_prepare(number, failure.sqlstate):
        return await _attempt(wire, number, sql)
    return failure


class OwnLoop:
    """A thread with an event loop, for use from code that may be below another one."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kingpost-rehearsal")
        self._runner: asyncio.Runner | None = None

    def run(self, use: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs a coroutine to its end in the thread.

        Args:
            use: makes the coroutine.

        Returns:
            What it returns.
        """
        return self._thread.submit(self._run, use).result()

    def _run(self, use: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(use())

    def close(self) -> None:
        """Ends the thread and its loop."""
        if self._runner is not None:
            self._thread.submit(self._runner.close).result()
        self._thread.shutdown()
