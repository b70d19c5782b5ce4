"""What is new in the schema stops nobody: each revision after the first is proven."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from kingpost.testing.rehearsal import Rehearse, assert_safe

SCRIPTS = ScriptDirectory(str(Path(__file__).parents[2] / "src/app/migrations"))
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()][::-1]


@pytest.mark.parametrize("revision", REVISIONS[1:] or REVISIONS)
def test_a_revision_is_proven_safe(rehearsal: Rehearse, revision: str) -> None:
    assert_safe(rehearsal(revision, rows=200))
