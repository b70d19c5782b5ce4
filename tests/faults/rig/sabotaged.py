"""Settings of a server whose clock is wrong and whose event loop can be held up."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kingpost.testing.process import ServerProcess

FOLDER = Path(__file__).parent / "sabotage"
HELD_UP, GOES_ON = "the loop is held up", "the loop goes on"


@dataclass(frozen=True)
class Clock:
    """What a server thinks is the time, except PostgreSQL.

    Args:
        file: of its own.
    """

    file: Path

    def step(self, seconds: float) -> None:
        """Sets the clock to so many seconds after the real time, from one moment to the next."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.rename(self.file)

    def environ(self) -> Mapping[str, str]:
        """For the server that goes by this clock."""
        return sabotage() | {"SABOTAGE_CLOCK": str(self.file)}


def sabotage() -> dict[str, str]:
    """For a server that can be held up."""
    found = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(FOLDER), found]))}


def hold_up(server: ServerProcess) -> None:
    """The event loop of the server does nothing for two seconds."""
    server.process.send_signal(signal.SIGUSR2)


def is_held_up(server: ServerProcess) -> bool:
    """Whether it does nothing now."""
    told = server.log.read_text(errors="replace")
    return told.count(HELD_UP) > told.count(GOES_ON)
