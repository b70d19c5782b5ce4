"""Which revisions to look through."""

from collections.abc import Sequence, Set

from alembic.script import Script, ScriptDirectory


def in_order(scripts: ScriptDirectory) -> list[Script]:
    """All revisions.

    Args:
        scripts: the folder of migrations.

    Returns:
        The revisions, those first that others build upon.
    """
    return list(scripts.walk_revisions())[::-1]


def named(scripts: ScriptDirectory, names: Sequence[str]) -> list[Script]:
    """The revisions that a person names.

    Args:
        scripts: the folder of migrations.
        names: each as Alembic takes it, such as `a1b2` or `head`, or a range as of git:
            `a1b2..head` is everything after `a1b2`.

    Returns:
        The revisions, in order and without duplicates.

    Raises:
        CommandError: there is no such revision.
    """
    wanted: set[str] = set()
    for name in names:
        after, dots, upto = name.partition("..")
        if dots:
            wanted |= _between(scripts, after or "base", upto or "heads")
        else:
            wanted |= {script.revision for script in scripts.get_revisions(name)}
    return [script for script in in_order(scripts) if script.revision in wanted]


def _between(scripts: ScriptDirectory, after: str, upto: str) -> set[str]:
    return _up_to(scripts, upto) - _up_to(scripts, after)


def _up_to(scripts: ScriptDirectory, name: str) -> set[str]:
    """A revision and everything that it builds upon."""
    if name == "base":
        return set()
    ends = tuple(script.revision for script in scripts.get_revisions(name))
    return {script.revision for script in scripts.iterate_revisions(ends, "base")}


def pending(scripts: ScriptDirectory, applied: Set[str]) -> list[Script]:
    """The revisions that a database has not got yet.

    Args:
        scripts: the folder of migrations.
        applied: the revisions that it is at; those that the code does not know do not count.

    Returns:
        The revisions, in order.
    """
    everything = in_order(scripts)
    known = applied & {script.revision for script in everything}
    done = {script.revision for script in scripts.iterate_revisions(tuple(known), "base")}
    return [script for script in everything if script.revision not in done]
