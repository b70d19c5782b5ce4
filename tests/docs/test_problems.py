"""docs/problems.md lists the problems that there are."""

import re
from collections.abc import Iterator

from tests.architecture.source import ROOT

from kingpost import problems
from kingpost.idempotency import problems as keyed
from kingpost.problems import Problem
from kingpost.ratelimit import problems as limits
from kingpost.server.operations import NotReady

PAGE = (ROOT / "docs/problems.md").read_text()
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \| `(\w+)` \| (.+) \| (.+) \|$", re.MULTILINE)


def kinds(kind: type[Problem]) -> Iterator[type[Problem]]:
    if kind.__module__.startswith("kingpost."):
        yield kind
    for child in kind.__subclasses__():
        yield from kinds(child)


def test_every_problem_has_its_row_and_no_other_has_one() -> None:
    listed = {(slug, int(status), name) for slug, status, name, _, _ in ROW.findall(PAGE)}

    assert NotReady in kinds(Problem)
    assert keyed.IdempotencyInFlight in kinds(Problem)
    assert limits.AbnormalUsage in kinds(Problem)
    assert listed == {(kind.slug, kind.status, kind.__name__) for kind in kinds(Problem)}


def test_every_slug_is_one_problem() -> None:
    slugs = [kind.slug for kind in kinds(Problem)]

    assert len(slugs) == len(set(slugs))


def test_the_tree_in_the_docstring_has_no_leaf_too_many() -> None:
    drawn = set(
        re.findall(
            r"(?:── |^    )([A-Z]\w+) +\d{3}",
            f"{problems.__doc__}{keyed.__doc__}{limits.__doc__}",
            re.MULTILINE,
        )
    )

    assert drawn == {kind.__name__ for kind in kinds(Problem)} - {"NotReady"}
