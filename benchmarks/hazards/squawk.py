"""What squawk says of a change, without its rules of style and timeouts."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

# They ask for another way to write SQL, or for a SET that a runner does for every change.
LEFT_OUT = (
    "ban-char-field",
    "identifier-too-long",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamptz",
    "require-enum-value-ordering",
    "require-lock-timeout",
    "require-statement-timeout",
)


class SquawkFailed(RuntimeError):
    """Squawk is missing or could not be run."""


def version() -> str:
    """Such as `2.70.0`."""
    return _run("--version").split()[-1]


def rules(sql: str, major: int) -> tuple[str, ...]:
    """The rules that a change breaks.

    Args:
        sql: all of its statements.
        major: version of PostgreSQL that squawk is told.

    Returns:
        Names without duplicates, in the order of the statements.
    """
    found = _run(
        f"--pg-version={major}.0", "--reporter=json", f"--exclude={','.join(LEFT_OUT)}", sql=sql
    )
    return tuple(dict.fromkeys(one["rule_name"] for one in json.loads(found or "[]")))


def _run(*arguments: str, sql: str = "") -> str:
    beside = Path(sys.executable).with_name("squawk")
    program = str(beside) if beside.exists() else shutil.which("squawk")
    if program is None:
        raise SquawkFailed("squawk is not installed: pip install 'kingpost[rehearsal]'")
    done = subprocess.run(
        [program, *arguments], input=sql, capture_output=True, text=True, check=False
    )
    if done.returncode not in {0, 1}:
        raise SquawkFailed(f"squawk has failed: {done.stderr.strip() or done.returncode}")
    return done.stdout
