"""Runs squawk, the linter, on SQL."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kingpost.migrations.lint import configuration
from kingpost.migrations.lint.findings import SquawkFinding
from kingpost.migrations.lint.reader import flat
from kingpost.migrations.lint.targets import on_new_tables
from kingpost.migrations.rehearsal.splitting import Piece, ScriptError, split

__all__ = ["SquawkError", "SquawkFinding", "run_squawk", "squawk_statements"]

_SECONDS = 60.0
_NOTHING = "SELECT 1"


class SquawkError(Exception):
    """Squawk is missing or fails; the message is one line with the way out."""


def run_squawk(sql: str) -> tuple[SquawkFinding, ...]:
    """Looks for dangers in a script, by the rules of `configuration`.

    Args:
        sql: any number of statements; transactions are what BEGIN and COMMIT in it say.

    Returns:
        The findings, in the order of the statements.

    Raises:
        SquawkError: squawk is missing or fails.
    """
    try:
        pieces = split(sql)
    except ScriptError:  # squawk may still understand it
        pieces = (Piece(sql.strip(), 1),)
    return _run(pieces)


def squawk_statements(statements: Sequence[str]) -> tuple[SquawkFinding, ...]:
    """Looks for dangers in statements that belong together.

    Args:
        statements: one each, in order, BEGIN and COMMIT included; the findings tell their index.

    Returns:
        The findings, in the order of the statements; their line is 1.

    Raises:
        SquawkError: squawk is missing or fails.
    """
    return _run([Piece(sql.strip().rstrip(";"), 1) for sql in statements])


def _run(pieces: Sequence[Piece]) -> tuple[SquawkFinding, ...]:
    if not pieces:
        return ()
    texts = [flat(piece.sql) for piece in pieces]  # without comments, which can switch squawk off
    unreadable: dict[int, SquawkFinding] = {}
    while True:
        said = [_finding(item, texts, pieces) for item in _squawk(_script(texts))]
        errors = [finding for finding in said if finding.rule == "syntax-error"]
        if not errors or errors[0].statement in unreadable:
            break
        unreadable[errors[0].statement] = errors[0]  # hides what comes behind it
        texts[errors[0].statement] = _NOTHING
    on_new = on_new_tables(piece.sql for piece in pieces)
    found = [*unreadable.values(), *(one for one in said if not on_new[one.statement])]
    judged = [one for one in map(configuration.judged, found) if one is not None]
    return tuple(sorted(judged, key=lambda finding: finding.statement))


def _script(texts: Sequence[str]) -> str:
    return "".join(f"{sql};\n" for sql in texts)


def _squawk(script: str) -> list[dict[str, Any]]:
    command = [_program(), "--reporter", "json", "--pg-version", configuration.PG_VERSION]
    command += ["--exclude", ",".join(configuration.EXCLUDED)]
    command += ["--include", ",".join(configuration.INCLUDED)]
    try:
        done = subprocess.run(  # noqa: S603 - squawk itself
            command, input=script, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise SquawkError(f"squawk failed ({error}): try `pip install -U squawk-cli`") from error
    return found


def _program() -> str:
    beside = Path(sys.executable).with_name("squawk")
    found = str(beside) if beside.is_file() else shutil.which("squawk")
    if found is None:
        raise SquawkError("squawk is missing: pip install 'kingpost[rehearsal]'")
    return found


def _finding(item: dict[str, Any], texts: Sequence[str], pieces: Sequence[Piece]) -> SquawkFinding:
    index, line = 0, item["line"]
    while index < len(texts) - 1 and line > texts[index].count("\n"):
        line -= texts[index].count("\n") + 1
        index += 1
    return SquawkFinding(
        rule=item["rule_name"],
        message=item["message"],
        help=item["help"] or "",
        line=pieces[index].line,
        sql=pieces[index].sql,
        span=_span(item, texts[index], line),
        statement=index,
    )


def _span(item: dict[str, Any], text: str, line: int) -> str:
    """What a finding marks; columns are bytes."""
    lines = text.encode().split(b"\n")[line : line + item["line_end"] - item["line"] + 1]
    if not lines:
        return ""
    lines[-1] = lines[-1][: item["column_end"]]
    lines[0] = lines[0][item["column"] :]
    return b"\n".join(lines).decode(errors="replace").rstrip(";")
