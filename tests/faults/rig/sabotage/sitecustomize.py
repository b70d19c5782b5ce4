"""For a server that is started with this folder in PYTHONPATH: a wrong clock, and a busy loop.

`SABOTAGE_CLOCK` names a file with the seconds by which the clock is wrong; it is read each time.
SIGUSR2 holds the event loop up, as a computation without an end in sight would.
"""

import os
import signal
import sys
import time
from pathlib import Path
from uuid import UUID

import uuid_utils
import uuid_utils.compat

HELD_UP, GOES_ON = "the loop is held up", "the loop goes on"
SECONDS = 2.0

_time, _time_ns = time.time, time.time_ns


def _wrong_by() -> float:
    return float(Path(os.environ["SABOTAGE_CLOCK"]).read_text())


def _wrong_time() -> float:
    return _time() + _wrong_by()


def _wrong_time_ns() -> int:
    return _time_ns() + int(_wrong_by() * 1e9)


def _wrong_uuid7() -> UUID:
    return UUID(int=uuid_utils.uuid7(nanoseconds=_wrong_time_ns()).int)


def _hold_up(*_: object) -> None:
    print(HELD_UP, file=sys.stderr, flush=True)  # noqa: T201 - the log of the server
    time.sleep(SECONDS)
    print(GOES_ON, file=sys.stderr, flush=True)  # noqa: T201 - the log of the server


if "SABOTAGE_CLOCK" in os.environ:
    time.time, time.time_ns = _wrong_time, _wrong_time_ns
    uuid_utils.compat.uuid7 = _wrong_uuid7
signal.signal(signal.SIGUSR2, _hold_up)
