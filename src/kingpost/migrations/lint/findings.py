"""What squawk finds in a statement."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SquawkFinding:
    """A danger that squawk sees in the text of a statement.

    Args:
        rule: of squawk, such as `changing-column-type`.
        message: what is wrong, in one or two sentences.
        help: what squawk advises; often empty.
        line: where the statement begins, from 1, in the SQL that was given.
        sql: the statement.
        span: the part of it that is meant.
        statement: its index, in the order given.
    """

    rule: str
    message: str
    help: str
    line: int
    sql: str
    span: str = ""
    statement: int = 0
