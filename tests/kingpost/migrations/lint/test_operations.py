"""What the lint advises, it has nothing to say of."""

from textwrap import indent

import pytest
from tests.kingpost.migrations.lint.conftest import Lint

from kingpost.migrations.lint.cures import cure

HEAD = """\
import sqlalchemy as sa
from alembic import op
import kingpost.migrations.operations

revision = "r3"
down_revision = "r2"
"""

OPERATIONS = [
    'op.create_index_online("i", "people", ["a"])',
    'op.drop_index_online("i", "people")',
    'op.add_check_online("k", "people", "a > 0")',
    'op.add_foreign_key_online("f", "people", "firms", ["firm_id"], ["id"])',
    'op.validate_constraint_online("f", "people")',
    'op.set_not_null_online("people", "a")',
    'op.add_unique_online("u", "people", ["a"])',
    'op.add_unique_online("p", "people", ["a"], primary_key=True)',
    'op.add_column_online("people", sa.Column("c", sa.Text(), server_default="x"))',
    (
        'op.add_column_online("people", sa.Column("c", sa.Uuid(), nullable=False, '
        'server_default=sa.text("gen_random_uuid()")))'
    ),
    'op.backfill("people", {"a": "1"})',
    'op.change_type_online("people", "a", sa.BigInteger())',
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_online_operation_has_no_finding(lint_revision: Lint, operation: str) -> None:
    assert lint_revision(f"{HEAD}def upgrade():\n    {operation}\n") == ()


def test_the_last_step_of_a_change_of_type_has_no_finding(lint_revision: Lint) -> None:
    swap = 'def upgrade():\n    op.finish_type_change("people", "a")\n'

    assert lint_revision(f'{HEAD}phase = "contract"\n{swap}') == ()


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE people RENAME TO persons",
        "ALTER TABLE people SET SCHEMA other",
        "TRUNCATE people",
        "ALTER TABLE p DETACH PARTITION q",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (value > 0)",
        "ALTER TYPE e ADD VALUE 'x'",
        "ALTER TABLE people ADD COLUMN n bigserial",
        "ALTER TABLE people ADD COLUMN g bigint GENERATED ALWAYS AS (a + 1) STORED",
        "ALTER TABLE people ADD COLUMN c integer NOT NULL CHECK (c > 0)",
        "REFRESH MATERIALIZED VIEW v",
        "CREATE TABLE q PARTITION OF p FOR VALUES IN (1)",
    ],
)
def test_what_is_advised_has_no_finding(lint_revision: Lint, sql: str) -> None:
    advised = indent(cure(sql), "    ")

    findings = lint_revision(f"{HEAD}def upgrade():\n{advised}\n")

    assert [finding for finding in findings if finding.rule != "needs-database"] == []
