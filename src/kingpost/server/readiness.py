"""Runs the checks of readiness, each bounded, even when what they ask never answers."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from kingpost.observability.fingerprint import type_name
from kingpost.problems import Problem
from kingpost.server.state import Check

CHECK_SECONDS = 1.0

_log = structlog.get_logger("kingpost.readiness")


@dataclass(slots=True)
class _Run:
    began: float
    task: asyncio.Task[str]


class Readiness:
    """Runs checks in parallel and remembers what they said last.

    A check that does not answer is left alone, not cancelled and not started again: the next
    probe finds it still running. So a silent database costs one connection, however often
    somebody asks. If it fails then, that is about a moment before the probe, and the check is
    run again for this one.

    Args:
        checks: by name.
        seconds: how long to wait for each.
    """

    def __init__(self, checks: Mapping[str, Check], seconds: float = CHECK_SECONDS) -> None:
        self._checks = checks
        self._seconds = seconds
        self._running: dict[str, _Run] = {}
        self._last: dict[str, str] = {}

    async def results(self) -> dict[str, str]:
        """Asks everything once.

        Returns:
            By name, `ok` or the reason why not, without anything secret.
        """
        asked = await asyncio.gather(*(self._bounded(name) for name in self._checks))
        results = dict(zip(self._checks, asked, strict=True))
        self._log_changes(results)
        return results

    async def _bounded(self, name: str) -> str:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._ask(name)
        except TimeoutError:
            return f"no answer within {self._seconds:g} s"

    async def _ask(self, name: str) -> str:
        asked = time.monotonic()
        while True:
            run = self._running.get(name)
            if run is None or run.task.done():
                run = self._start(name)
            await asyncio.wait({run.task})
            if run.began >= asked or run.task.result() == "ok":
                return run.task.result()

    def _start(self, name: str) -> _Run:
        task = asyncio.create_task(_reason(name, self._checks[name]))
        run = self._running[name] = _Run(time.monotonic(), task)
        return run

    def _log_changes(self, results: dict[str, str]) -> None:
        for name, result in results.items():
            if self._last.get(name, "ok") != result:
                write = _log.info if result == "ok" else _log.warning
                write("readiness changed", check=name, result=result)
        self._last = results


async def _reason(name: str, check: Check) -> str:
    try:
        await check()
    except Problem as problem:
        return problem.detail or problem.title
    except Exception as error:  # noqa: BLE001 - any failure of a check means: not ready
        _log.debug("check failed", check=name, exc_info=error)
        return type_name(error)
    except asyncio.CancelledError:
        return "cancelled"
    return "ok"
