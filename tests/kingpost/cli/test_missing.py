"""The command with only a part of its packages installed."""

import subprocess
import sys
from typing import Any

import pytest

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from kingpost.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("pydantic", ()),
        ("fastapi", ("dev",)),
        ("alembic", ("serve",)),
        ("uvicorn", ("dev",)),
        ("dotenv", ("config",)),
    ],
)
def test_a_package_that_is_not_installed_is_one_line(
    tiny: Any, missing: str, command: tuple[str, ...]
) -> None:
    (tiny.root / ".env").write_text("TINY_PORT=0\n")

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, *command],
        cwd=tiny.root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == f"kingpost: {missing} is missing: pip install 'kingpost[cli]'\n"
