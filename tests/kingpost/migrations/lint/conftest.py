from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from kingpost.migrations.lint.choosing import in_order
from kingpost.migrations.lint.linting import Finding, lint
from kingpost.migrations.runner import configuration

Lint = Callable[[str], tuple[Finding, ...]]


@pytest.fixture
def lint_revision(migrations: Path) -> Lint:
    """Lints a revision that comes after two others; its text begins at line 1."""

    def write(text: str) -> tuple[Finding, ...]:
        (migrations / "versions" / "r3.py").write_text(text)
        config = configuration(migrations, "")
        scripts = ScriptDirectory.from_config(config)
        return lint(config, scripts, in_order(scripts)[-1:])

    return write
