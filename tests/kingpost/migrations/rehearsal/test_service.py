"""The service itself as traffic, also as an older commit has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kingpost.migrations.rehearsal.repositories import commit, copied, git
from tests.kingpost.migrations.rehearsal.rows import filled

from kingpost.database.url import any_driver
from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations import upgrade
from kingpost.migrations.rehearsal.child import ServiceFailed
from kingpost.migrations.rehearsal.requests import Answer, Round
from kingpost.migrations.rehearsal.service import ServiceTraffic
from kingpost.project import Project
from kingpost.testing.databases import Databases, execute
from kingpost.testing.process import wait_for


@pytest.fixture
def url(project: Project, postgres: EmbeddedPostgres, databases: Databases) -> Iterator[str]:
    """A database with rows, for one driver: the service has its own tests for both."""
    with databases.copy() as name:
        made = postgres.url(name, any_driver())
        upgrade(project, made)
        filled(made, rows=30)
        yield made


@pytest.fixture
def repository(project: Project, tmp_path: Path) -> Project:
    """The service in a repository of its own, whose last commit does not even start."""
    root = copied(project, tmp_path).root
    git(root, "tag", "works")
    (root / "src" / "app" / "main.py").write_text("raise RuntimeError('broken on purpose')\n")
    commit(root, "does not work")
    return Project.find(root)


def test_requests_of_every_kind_go_on_and_a_change_that_breaks_them_is_seen(
    repository: Project, url: str
) -> None:
    with ServiceTraffic(repository, url, "works", application_name="kingpost-change") as running:
        assert {
            *("GET /api/v1/users", "GET /api/v1/users/{user_id}", "POST /api/v1/users"),
            *("PATCH /api/v1/users/{user_id}", "DELETE /api/v1/users/{user_id}"),
            *("POST /api/v1/posts", "DELETE /api/v1/posts/{post_id}", "GET /api/v1/audit"),
            *("GET /api/v1/users/by-email/{email}", "GET /api/v1/users/{user_id}/posts"),
        } <= set(running.requests)
        changing = {
            label: statuses
            for label, statuses in running.statuses.items()
            if label.startswith(("PATCH", "DELETE"))
        }
        assert {min(statuses) for statuses in changing.values()} <= {200, 204}, changing
        assert 428 not in set().union(*changing.values()), changing
        assert running.check() == ()
        execute(url, "ALTER TABLE users ADD COLUMN nick text")
        assert running.check() == ()
        wait_for(lambda: running.sent > 30, 30, lambda: AssertionError("no traffic"))
        assert running.result().failed == 0

        began = running.clock()
        execute(url, "ALTER TABLE posts RENAME COLUMN content TO body")
        running.record(0, began, running.clock())
        errors = running.check(undo=True)
        wait_for(lambda: running.result().failed > 0, 30, lambda: AssertionError("no failure"))
    seen = running.result()

    assert {(error.sqlstate, error.heals, error.undo) for error in errors} == {("500", False, True)}
    assert "GET /api/v1/posts" in {error.query for error in errors}
    assert "GET /api/v1/users" not in {error.query for error in errors}
    assert {sample.failed for sample in seen.samples} == {"", "500"}
    assert [index for index, _, _ in seen.statements] == [0]
    assert git(repository.root, "worktree", "list").count("\n") == 1


def test_code_that_does_not_start_says_so(repository: Project, url: str) -> None:
    with (
        pytest.raises(ServiceFailed, match=r"the service does not start: .*broken on purpose"),
        ServiceTraffic(repository, url, None),
    ):
        raise AssertionError
    with (
        pytest.raises(ServiceFailed, match=r"nowhere.*: give a revision"),
        ServiceTraffic(repository, url, "nowhere"),
    ):
        raise AssertionError


def test_what_new_code_cannot_answer_is_refused(project: Project, url: str) -> None:
    execute(url, "ALTER TABLE posts RENAME COLUMN title TO headline")
    with ServiceTraffic(project, url, None, background=False) as service:
        refused = service.refused

    assert {error.version for error in refused} == {"new"}
    assert "GET /api/v1/posts" in {error.query for error in refused}
    assert "GET /api/v1/users" not in {error.query for error in refused}


def test_bodies_take_identifiers_from_what_is_there() -> None:
    answers = {
        "GET /owners": Answer(200, [{"id": 7}]),
        "GET /things": Answer(200, {"items": [{"id": 3, "maker": {"id": 5}}]}),
        "POST /things": Answer(201, {"id": 9}, "v1"),
        "GET /things/{id}": Answer(200, {"id": 9}, '"v1"'),
    }
    sent: list[tuple[str, str, object, object]] = []

    def send(label: str, method: str, path: str, body: object, headers: object) -> Answer:
        sent.append((method, path, body, headers))
        return answers.get(label, Answer(204))

    Round(THINGS, send).run()

    made = next(body for method, _, body, _ in sent if method == "POST")
    assert isinstance(made, dict)
    assert {name: made[name] for name in ("owner_id", "maker_id", "size", "kind", "tags")} == {
        "owner_id": 7,
        "maker_id": 5,
        "size": 3,
        "kind": "a",
        "tags": ["b"],
    }
    assert "@example.org" in made["email"]
    assert len(made["name"]) == 5
    assert "note" not in made
    assert [(method, path, headers) for method, path, _, headers in sent[-2:]] == [
        ("PATCH", "/things/9", {"If-Match": '"v1"'}),
        ("DELETE", "/things/9", {"If-Match": '"v1"'}),
    ]


MEMBERS = {
    "owner_id": {"type": "string", "format": "uuid"},
    "maker_id": {"anyOf": [{"type": "null"}, {"type": "integer"}], "type": "string"},
    "size": {"type": "integer", "exclusiveMinimum": 2},
    "kind": {"enum": ["a", "b"]},
    "tags": {"type": "array", "items": {"const": "b"}},
    "email": {"type": "string", "format": "email"},
    "name": {"type": "string", "maxLength": 5},
    "note": {"type": "string"},
}
BODY = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
THINGS = {
    "paths": {
        "/owners": {"get": {}},
        "/things": {"get": {}, "post": {"requestBody": BODY}},
        "/things/{id}": {"get": {}, "patch": {"requestBody": BODY}, "delete": {}},
    },
    "components": {
        "schemas": {
            "Thing": {"type": "object", "properties": MEMBERS, "required": list(MEMBERS)[:-1]}
        }
    },
}
