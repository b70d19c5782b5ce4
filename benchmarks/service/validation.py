"""Do all peers give the same documents? Compared with the rows before anything is timed."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from benchmarks.lab.postgres import Postgres
from benchmarks.lab.servers import Answer
from benchmarks.service.contenders import Contender

_USER = ("id", "email", "name", "is_active", "created_at", "updated_at")
_POST = ("id", "title", "content", "created_at", "updated_at", "author")
_AUTHOR = ("id", "email", "name")

_USERS_SQL = """
    SELECT json_build_object('id', id, 'email', email, 'name', name, 'is_active', is_active,
                             'created_at', created_at, 'updated_at', updated_at)
    FROM users ORDER BY email LIMIT 40
"""
_POSTS_SQL = """
    SELECT json_build_object('id', p.id, 'title', title, 'content', content,
        'created_at', p.created_at, 'updated_at', p.updated_at,
        'author', json_build_object('id', u.id, 'email', u.email, 'name', u.name))
    FROM posts p JOIN users u ON u.id = p.author_id
"""
_PAGE_SQL = _POSTS_SQL + " ORDER BY p.created_at DESC, p.id DESC LIMIT 20"

Document = Mapping[str, Any]


class Differs(AssertionError):
    """A peer answers otherwise than asked for; the message says where."""


def normalised(document: Document, fields: Sequence[str], *, milliseconds: bool) -> dict[str, Any]:
    """Brings a document into the form in which all can be compared.

    Args:
        document: as it came; more fields than wanted are left out.
        fields: what is wanted.
        milliseconds: cut instants to milliseconds, which is all that JavaScript's dates have.

    Raises:
        Differs: a field is missing, or no instant or id where there must be one.
    """
    if not isinstance(document, Mapping):
        raise Differs(f"an object is wanted, not {str(document)[:80]}")
    missing = [name for name in fields if name not in document]
    if missing:
        raise Differs(f"without {', '.join(missing)}: {str(document)[:200]}")
    return {name: _value(name, document[name], milliseconds) for name in fields}


def _value(name: str, value: Any, milliseconds: bool) -> Any:
    try:
        if name == "id":
            return str(UUID(value))
        if name.endswith("_at"):
            return _instant(value, milliseconds)
    except (ValueError, TypeError, AttributeError):
        raise Differs(f"{name} is {value!r}") from None
    return normalised(value, _AUTHOR, milliseconds=milliseconds) if name == "author" else value


def _instant(value: str, milliseconds: bool) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    cut = moment.microsecond // 1000 * 1000 if milliseconds else moment.microsecond
    return moment.astimezone(UTC).replace(microsecond=cut)


def validate(contender: Contender, postgres: Postgres) -> None:
    """Asks for everything that will be timed, and for what must fail.

    Raises:
        Differs: an answer is not as it must be.
    """
    _check_users(contender, postgres)
    _check_page(contender, postgres)
    _check_create(contender, postgres)
    _check_refusals(contender, postgres)


def _check_users(contender: Contender, postgres: Postgres) -> None:
    exact = contender.peer.kind == "node"
    for (text,) in postgres.sql(_USERS_SQL):
        wanted = json.loads(text)
        answer = _ask(contender, "GET", _user_path(contender, wanted["id"]), 200)
        _compare("the user", answer, wanted, _USER, milliseconds=exact)


def _check_page(contender: Contender, postgres: Postgres) -> None:
    exact = contender.peer.kind == "node"
    wanted = [json.loads(text) for (text,) in postgres.sql(_PAGE_SQL)]
    given = _ask(contender, "GET", contender.peer.paths["page"], 200)
    posts = given[contender.peer.items] if contender.peer.items else given
    if len(posts) != len(wanted):
        raise Differs(f"the page has {len(posts)} posts instead of {len(wanted)}")
    for place, (post, right) in enumerate(zip(posts, wanted, strict=True)):
        _compare(f"post {place} of the page", post, right, _POST, milliseconds=exact)


def _check_create(contender: Contender, postgres: Postgres) -> None:
    author = postgres.sql("SELECT id FROM users ORDER BY email LIMIT 1")[0][0]
    sent = {"title": f"By {contender.peer.name}", "content": 'A "post" — é', "author_id": author}
    created = _ask(contender, "POST", contender.peer.paths["create"], 201, json.dumps(sent))
    made = str(UUID(created["id"]))
    rows = postgres.sql(f"{_POSTS_SQL} WHERE p.id = '{made}'")
    if not rows:
        raise Differs(f"the created post {made} is not in the database")
    row = json.loads(rows[0][0])
    stored = {"title": row["title"], "content": row["content"], "author_id": row["author"]["id"]}
    if stored != sent:
        raise Differs(f"of the created post {sent} the database has {stored}")
    shown = [name for name in _POST if name in created]
    _compare("the created post", created, row, shown, milliseconds=contender.peer.kind == "node")


def _check_refusals(contender: Contender, postgres: Postgres) -> None:
    nobody, create = str(uuid4()), contender.peer.paths["create"]
    author = postgres.sql("SELECT id FROM users LIMIT 1")[0][0]
    without_title = json.dumps({"content": "text", "author_id": author})
    long_title = json.dumps({"title": "x" * 201, "content": "text", "author_id": author})
    _refused("a user who is not there", 404, _send(contender, nobody))
    for what, answer in (
        ("an id that is no UUID", _send(contender, "nobody")),
        ("a post without a title", _post(contender, create, without_title)),
        ("a title of 201 characters", _post(contender, create, long_title)),
        ("a body that is no JSON", _post(contender, create, "{")),
    ):
        _refused(what, None, answer)


def _send(contender: Contender, user: str) -> Answer:
    path = _user_path(contender, user)
    return contender.server.ask("GET", path, headers=contender.headers)


def _post(contender: Contender, path: str, body: str) -> Answer:
    return contender.server.ask("POST", path, body, contender.headers)


def _refused(what: str, status: int | None, answer: Answer) -> None:
    allowed = range(400, 500) if status is None else (status,)
    if answer.status not in allowed:
        raise Differs(f"{what} gets {answer.status} instead of {status or '4xx'}")


def _user_path(contender: Contender, user: str) -> str:
    return contender.peer.paths["user"].replace("{id}", user)


def _ask(contender: Contender, method: str, path: str, status: int, body: str | None = None) -> Any:
    answer = contender.server.ask(method, path, body, contender.headers)
    if answer.status != status:
        raise Differs(f"{method} {path} gets {answer.status}: {answer.body[:300]!r}")
    return json.loads(answer.body)


def _compare(
    what: str, given: Document, wanted: Document, fields: Sequence[str], *, milliseconds: bool
) -> None:
    left = normalised(given, fields, milliseconds=milliseconds)
    right = normalised(wanted, fields, milliseconds=milliseconds)
    different = [name for name in fields if left[name] != right[name]]
    if different:
        name = different[0]
        raise Differs(f"{what}: {name} is {left[name]!r} instead of {right[name]!r}")
