from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from kingpost.migrations.lint.choosing import in_order, named, pending

REVISION = "revision = {!r}\ndown_revision = {!r}\ndef upgrade(): pass\n"


@pytest.fixture
def scripts(migrations: Path) -> ScriptDirectory:
    """r1, r2, then two branches that are merged into m."""
    for name, before in (("a3", "r2"), ("b3", "r2"), ("m4", ("a3", "b3"))):
        (migrations / "versions" / f"{name}.py").write_text(REVISION.format(name, before))
    return ScriptDirectory(str(migrations))


def test_all_are_in_the_order_in_which_they_build_upon_each_other(scripts: ScriptDirectory) -> None:
    found = [script.revision for script in in_order(scripts)]

    assert found[:2] == ["r1", "r2"]
    assert sorted(found[2:4]) == ["a3", "b3"]
    assert found[4:] == ["m4"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["r2"], {"r2"}),
        (["a3", "r1"], {"r1", "a3"}),
        (["head"], {"m4"}),
        (["r1..a3"], {"r2", "a3"}),
        (["a3..m4"], {"b3", "m4"}),
        (["r2.."], {"a3", "b3", "m4"}),
        (["..r2"], {"r1", "r2"}),
        (["r2..head", "r1"], {"r1", "a3", "b3", "m4"}),
    ],
)
def test_revisions_are_named_by_identifier_or_range(
    scripts: ScriptDirectory, names: list[str], found: set[str]
) -> None:
    assert {script.revision for script in named(scripts, names)} == found


@pytest.mark.parametrize("name", ["nothing", "r1..nothing", "nothing..r1"])
def test_a_revision_that_is_not_there_is_an_error(scripts: ScriptDirectory, name: str) -> None:
    with pytest.raises(CommandError, match="nothing"):
        named(scripts, [name])


@pytest.mark.parametrize(
    ("applied", "found"),
    [
        (set(), {"r1", "r2", "a3", "b3", "m4"}),
        ({"a3"}, {"b3", "m4"}),
        ({"m4"}, set()),
        ({"from a newer version", "r2"}, {"a3", "b3", "m4"}),
    ],
)
def test_a_database_lacks_what_it_is_not_at_or_past(
    scripts: ScriptDirectory, applied: set[str], found: set[str]
) -> None:
    assert {script.revision for script in pending(scripts, applied)} == found
