"""Traffic of a running version while a change is made, and who waits for that."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Self

from kingpost.migrations.rehearsal.report import Live, Sample, Wait
from kingpost.migrations.rehearsal.timing import ALWAYS, Window
from kingpost.migrations.rehearsal.traffic import TrafficStatement
from kingpost.migrations.rehearsal.waiting import TRAFFIC, Waiting
from kingpost.migrations.rehearsal.wire import Wire, state_of

APPLICATION = TRAFFIC
KEPT = 4000
"""Samples that a report keeps: the failed ones, the slowest, and the others evenly."""

_SETTINGS = {"statement_timeout": "60s", "client_min_messages": "error"}
_READERS, _WRITERS = 2, 2
_PAUSE = 0.01
_LONGEST = 600.0
_STARTING = 120.0


class LiveTraffic:
    """Runs statements all the time in a thread of its own, as a few clients of a service would.

    Each statement is prepared first and tried twice, in a transaction that is rolled back; those
    that fail then are left out, so that every failure afterwards is one of the change. The writes
    of a table are sent by one client, in order, and at the end each client finishes its round.

    Args:
        url: of the database, with an asynchronous driver.
        statements: of the running version, in order.
        application_name: with which the names of the connections that make the change begin.
        words: what the traffic is, for people.
    """

    def __init__(
        self,
        url: str,
        statements: Sequence[TrafficStatement],
        application_name: str,
        *,
        words: str = "",
    ) -> None:
        self._url = url
        self._statements = list(dict.fromkeys(statements))
        self._words = words or _words(self._statements)
        self._waiting = Waiting(url, application_name, APPLICATION, self.clock, self._text)
        self._samples: list[Sample] = []
        self._recorded: list[tuple[int, float, float]] = []
        self._began = time.perf_counter()
        self._ready, self._stop = threading.Event(), threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=APPLICATION, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(_STARTING)
        if self._problem is not None:
            self._thread.join()
            raise self._problem
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def clock(self) -> float:
        """Milliseconds since the traffic began."""
        return (time.perf_counter() - self._began) * 1000

    def record(self, index: int, began_ms: float, ended_ms: float) -> None:
        """Notes when a statement of the change ran.

        Args:
            index: of the statement, in the order sent.
            began_ms: by `clock`.
            ended_ms: by `clock`.
        """
        self._recorded.append((index, began_ms, ended_ms))

    @property
    def busy(self) -> bool:
        """Whether there is any statement."""
        return bool(self._statements)

    @property
    def sent(self) -> int:
        """How many statements have been answered so far."""
        return len(self._samples)

    def result(self, window: Window = ALWAYS) -> Live:
        """What has been seen; to be asked after the block.

        Args:
            window: what began in it, in milliseconds by `clock`.
        """
        return seen(self._samples, self._recorded, self._waiting.seen(), window, self._words)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as problem:  # noqa: BLE001 - raised where the traffic is started
            self._problem = problem
        finally:
            self._ready.set()

    async def _main(self) -> None:
        numbers = list(range(len(self._statements)))
        reads = [n for n in numbers if self._statements[n].kind == "read"]
        writes = [n for n in numbers if self._statements[n].kind == "write"]
        tables = list(dict.fromkeys(self._statements[n].table for n in writes))
        shares = [reads[reader::_READERS] for reader in range(_READERS)]
        for writer in range(_WRITERS):
            mine = set(tables[writer::_WRITERS])
            shares.append([n for n in writes if self._statements[n].table in mine])
        clients = [_Client(self, share) for share in shares if share]
        try:
            for client in clients:
                await client.warm()
            await self._waiting.open()
            self._begin()
            await asyncio.gather(self._waiting.watch(self._over), *(c.work() for c in clients))
        finally:
            for client in clients:
                await client.wire.close()
            await self._waiting.close()

    def _begin(self) -> None:
        self._began = time.perf_counter()
        self._ready.set()

    def _over(self) -> bool:
        return self._stop.is_set() or self.clock() > _LONGEST * 1000

    def _text(self, number: int) -> str:
        return self._statements[number].sql


class _Client:
    """One connection of the traffic and the statements that it repeats."""

    def __init__(self, traffic: LiveTraffic, numbers: list[int]) -> None:
        self.wire = Wire(traffic._url, APPLICATION, _SETTINGS)
        self._traffic = traffic
        self._numbers = numbers

    async def warm(self) -> None:
        """Connects, prepares, and leaves out what fails without any change."""
        await self.wire.open()
        failing = set()
        await self.wire.run("BEGIN")
        for number in self._numbers * 2:
            if number not in failing and not await self._works(number):
                failing.add(number)
        await self.wire.run("ROLLBACK")
        self._numbers = [number for number in self._numbers if number not in failing]

    async def _works(self, number: int) -> bool:
        await self.wire.run("SAVEPOINT kingpost")
        try:
            await self.wire.execute(number, self._traffic._text(number))
        except Exception as error:  # noqa: BLE001 - whatever it is, the statement is left out
            await self.wire.run("ROLLBACK TO SAVEPOINT kingpost")
            await self.wire.forget(number)
            return self.wire.cannot_prepare(number, state_of(error)) and await self._works(number)
        await self.wire.run("RELEASE SAVEPOINT kingpost")
        return True

    async def work(self) -> None:
        """Sends the statements round by round until the traffic is over."""
        while self._numbers and not self._traffic._over():
            for number in self._numbers:
                await self._send(number)
                await asyncio.sleep(_PAUSE)

    async def _send(self, number: int) -> None:
        traffic, failed = self._traffic, ""
        began = traffic.clock()
        try:
            await self.wire.reopen_if_dead()
            await self.wire.execute(number, traffic._text(number))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what a client would see
            failed = state_of(error)
        took = traffic.clock() - began
        if failed and await self._does_otherwise(number, failed):
            failed = ""
        traffic._samples.append(Sample(began, took, traffic._text(number), failed))
        if failed:
            await self._recover(number)

    async def _does_otherwise(self, number: int, failed: str) -> bool:
        statement, spare = (
            self._traffic._statements[number],
            number + len(self._traffic._statements),
        )
        if not statement.may_do_otherwise(failed):
            return False
        try:
            await self.wire.execute(spare, statement.otherwise)
        except Exception:  # noqa: BLE001 - then the first failure is the one that counts
            await self._recover(spare)
            return False
        return True

    async def _recover(self, number: int) -> None:
        try:
            await self.wire.forget(number)
        except Exception:  # noqa: BLE001 - the connection is gone, and made again before its next use
            return


def _words(statements: Sequence[TrafficStatement]) -> str:
    tables = len({statement.table for statement in statements if statement.table})
    return f"{len(statements)} statements of {tables} tables"


def seen(
    samples: Sequence[Sample],
    recorded: Sequence[tuple[int, float, float]],
    waits: Sequence[Wait],
    window: Window,
    words: str,
) -> Live:
    """Sums up what traffic has seen.

    Args:
        samples: all of them.
        recorded: index, begin and end of the statements of the change, in milliseconds.
        waits: all of them.
        window: what began in it counts.
        words: what the traffic was.

    Returns:
        The summary.
    """
    begin, end = window
    chosen = [it for it in samples if begin <= it.began_ms < end]
    ran = [it for it in recorded if begin <= it[1] < end]
    return Live(
        statements=tuple(ran),
        waits=tuple(attributed(it, ran) for it in waits if begin <= it.began_ms < end),
        samples=selected(chosen),
        sent=len(chosen),
        failed=sum(bool(sample.failed) for sample in chosen),
        slowest_ms=max((sample.took_ms for sample in chosen), default=0.0),
        traffic=words,
    )


def attributed(wait: Wait, recorded: Sequence[tuple[int, float, float]]) -> Wait:
    """Says which statement of a change somebody waited for.

    Args:
        wait: of the traffic.
        recorded: index, begin and end of the statements, in milliseconds.

    Returns:
        The wait, with the statement that ran for most of its time, or else the last one before:
        locks are held to the end of the transaction.
    """
    end = wait.began_ms + wait.waited_ms

    def overlap(one: tuple[int, float, float]) -> tuple[float, float]:
        return min(end, one[2]) - max(wait.began_ms, one[1]), one[1]

    begun = [one for one in recorded if one[1] <= end]
    if not begun:
        return wait
    index, _, _ = max(begun, key=overlap)
    return Wait(wait.query, wait.relation, wait.began_ms, wait.waited_ms, index)


def selected(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """A part of many samples that shows what all of them do.

    Args:
        samples: of the traffic.

    Returns:
        At most `KEPT`, in order of time: failed ones, the slowest, and others evenly.
    """
    chosen = [sample for sample in samples if sample.failed][: KEPT // 2]
    fine = [sample for sample in samples if not sample.failed]
    slowest = sorted(fine, key=lambda sample: -sample.took_ms)[: KEPT // 4]
    chosen += slowest
    seen = set(map(id, slowest))
    others = [sample for sample in fine if id(sample) not in seen]
    room = KEPT - len(chosen)
    step = max(1, -(-len(others) // room))
    return tuple(sorted([*chosen, *others[::step]], key=lambda sample: sample.began_ms))
