"""Problem documents as they go over the wire."""

import json

from kingpost.middleware.answers import LARGEST_PROBLEM, problem_answer
from kingpost.problems import FieldError, Invalid

DETAIL = "The text is longer than it may be."
SIZE = len(json.dumps({"pointer": "/body/0000", "code": "long", "detail": DETAIL})) + 2


def problem(errors: int) -> Invalid:
    return Invalid(errors=[FieldError(f"/body/{n:04}", "long", DETAIL) for n in range(errors)])


def test_a_problem_is_shortened_at_its_limit() -> None:
    """Whatever the rest of the document leaves, as many errors are shown as fit into it."""
    for size in range(SIZE):
        many = problem(200)
        many.detail = "x" * size
        body = problem_answer(many).body
        document = json.loads(body)

        assert LARGEST_PROBLEM - SIZE - 2 < len(body) <= LARGEST_PROBLEM
        assert document["more_errors"] is True
        shown = document["errors"]
        assert shown == json.loads(problem_answer(problem(len(shown))).body)["errors"]


def test_a_problem_that_fits_is_shown_whole() -> None:
    fitting = LARGEST_PROBLEM // SIZE - 2
    document = json.loads(problem_answer(problem(fitting)).body)

    assert len(document["errors"]) == fitting
    assert "more_errors" not in document
