"""Rehearses small scripts on the server of the tests."""

from typing import Any

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.rehearsal.rehearse import Options, Script, rehearse_script
from kingpost.migrations.rehearsal.report import Revision, Statement

SCHEMA = """
CREATE TABLE teams (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (
    id bigint PRIMARY KEY, team_id bigint, email varchar(50) NOT NULL, age int, note text
);
CREATE INDEX people_email ON people (email);
"""
USES = "SELECT id, email, note FROM people WHERE id = 1"


def rehearsed(
    server: EmbeddedPostgres,
    change: str,
    *,
    options: dict[str, Any] | None = None,
    single_transaction: bool = False,
    **texts: Any,
) -> Revision:
    """The one revision of a rehearsal without live traffic.

    Args:
        server: to rehearse on.
        change: the script.
        options: other than 300 rows and no live traffic.
        single_transaction: whether the script is one.
        **texts: of the script, such as `undo`.
    """
    script = Script("change.sql", texts.pop("schema", SCHEMA), change, **texts)
    chosen = Options(**{"rows": 300, "live": False, **(options or {})})
    report = rehearse_script(script, chosen, server=server, single_transaction=single_transaction)
    return report.revisions[0]


def verdicts(revision: Revision) -> list[str]:
    """Those of its statements, in order.

    Args:
        revision: that was rehearsed.
    """
    return [str(statement.verdict) for statement in revision.statements]


def only(revision: Revision) -> Statement:
    """Its statement, if there is just one.

    Args:
        revision: that was rehearsed.
    """
    (statement,) = revision.statements
    return statement
