"""Runs the checks of readiness, each bounded, even when what they ask never answers."""

import asyncio
from collections.abc import Mapping

import structlog

from kingpost.observability.fingerprint import type_name
from kingpost.problems import Problem
from kingpost.server.state import Check

CHECK_SECONDS = 1.0

_log = structlog.get_logger("kingpost.readiness")


class Readiness:
    """Runs checks in parallel and remembers what they said last.

    A check that does not answer is left alone, not cancelled and not started again: the next
    probe finds it still running. So a silent database costs one connection, however often
    somebody asks.

    Args:
        checks: by name.
        seconds: how long to wait for each.
    """

    def __init__(self, checks: Mapping[str, Check], seconds: float = CHECK_SECONDS) -> None:
        self._checks = checks
        self._seconds = seconds
        self._running: dict[str, asyncio.Task[str]] = {}
        self._last: dict[str, str] = {}

    async def results(self) -> dict[str, str]:
        """Asks everything once.

        Returns:
            By name, `ok` or the reason why not, without anything secret.
        """
        for name, check in self._checks.items():
            if name not in self._running or self._running[name].done():
                self._running[name] = asyncio.create_task(_reason(name, check))
        tasks = {name: self._running[name] for name in self._checks}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=self._seconds)
        results = {name: self._result(task) for name, task in tasks.items()}
        self._log_changes(results)
        return results

    def _result(self, task: asyncio.Task[str]) -> str:
        return task.result() if task.done() else f"no answer within {self._seconds:g} s"

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
