"""A small change of a schema, and what has to be said of it."""

from dataclasses import dataclass

from kingpost.migrations.rehearsal.verdicts import Verdict

SHOP = """
CREATE TABLE users (
    id bigint PRIMARY KEY,
    email varchar(50) NOT NULL,
    name varchar(50),
    age integer,
    balance numeric(10, 2),
    created_at timestamp NOT NULL
);
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    total numeric(10, 2) NOT NULL,
    note text
);
"""

LINKED = SHOP + "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id);"

ADULTS = "CREATE VIEW adults AS SELECT id, name FROM users WHERE age > 17;"

SUMS = """
CREATE MATERIALIZED VIEW sums AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;
"""

READS = "SELECT id, email FROM users WHERE id = 7;\nUPDATE users SET email = 'b' WHERE id = 8;"
"""Traffic of a version that knows of nothing but the e-mail addresses of users."""


def filled(table: str, day: str) -> str:
    """SQL that puts 2000 rows of one year into a table of events.

    Args:
        table: with the columns id, day and kind.
        day: the first of the year.
    """
    values = "SELECT n, date '{}' + (n % 300)::int, 'kind' FROM generate_series(1, 2000) n"
    return f"INSERT INTO {table} {values.format(day)};\n"


@dataclass(frozen=True, slots=True)
class Case:
    """A change.

    Args:
        name: what it does, in a few words.
        change: its SQL, each statement by itself unless it says BEGIN.
        verdict: that it gets on every version which understands it.
        number: of the hazard; 0 for what is none.
        schema: before the change.
        data: of some tables; the others get generated rows.
        traffic: of the version that runs; empty for a generated one that uses every column.
        undo: the way back.
        since: the major version which understands it first; before, it is an error.
        older: the verdict before `since`, where it is not an error.
    """

    name: str
    change: str
    verdict: Verdict
    number: int = 0
    schema: str = SHOP
    data: str = ""
    traffic: str = ""
    undo: str = ""
    since: int = 0
    older: Verdict = Verdict.ERROR

    def expected(self, major: int) -> Verdict:
        """The verdict on a version of PostgreSQL."""
        return self.verdict if major >= self.since else self.older

    def __str__(self) -> str:
        return f"{self.number} {self.name}" if self.number else self.name
