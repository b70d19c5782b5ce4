"""Whatever a client sends, it gets a clear answer, and nothing has changed."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.app.hostile.bodies import BODIES
from tests.app.hostile.case import JSON, KEY, SECRET, USERS, Case
from tests.app.hostile.conftest import World
from tests.app.hostile.heads import HEADS
from tests.app.hostile.wire import Answer, request, talk

from kingpost.testing.process import ServerProcess

LARGEST_ANSWER = 4096
CASES = [*BODIES, *HEADS]


def ask(world: World, port: int, case: Case) -> Answer:
    """Filled-in words may change the length of a body, so the length is counted here."""
    text = world.fill(case.data.decode("latin-1"))
    head, blank, body = text.partition("\r\n\r\n")
    if head != text and "Transfer-Encoding" not in head and body and len(text) != len(case.data):
        head = re.sub(r"Content-Length: \d+", f"Content-Length: {len(body)}", head)
    data = (head + blank + body).encode("latin-1")
    return talk(port, data, head=case.head, until_closed=case.closes)


def check_every_answer(answer: Answer, case: Case, world: World) -> None:
    assert answer.header("x-request-id")
    assert (answer.header("connection") == "close") >= case.closes
    text = answer.body.decode()
    for secret in (SECRET, *(world.known[name] for name in ("<key>", "<reader>", "<revoked>"))):
        assert secret not in text
        assert all(secret not in value for _, value in answer.headers)
    for name, value in case.headers:
        assert answer.header(name) == value


def check_problem(answer: Answer, case: Case) -> None:
    assert answer.header("content-type") == "application/problem+json"
    assert int(answer.header("content-length") or 0) <= LARGEST_ANSWER
    if case.head:
        assert answer.body == b""
        return
    body = answer.json()
    assert body["type"] == f"/problems/{case.slug}"
    assert body["status"] == answer.status
    assert body["request_id"] == answer.header("x-request-id")
    assert body["title"]
    if case.pointer is not None:
        assert body["errors"][0]["pointer"] == case.pointer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_hostile_request_has_its_answer_and_changes_nothing(
    case: Case, world: World, guarded: ServerProcess
) -> None:
    before = world.rows()

    answer = ask(world, guarded.port if case.guarded else world.server.port, case)

    assert answer.status == case.status, answer.body
    check_every_answer(answer, case, world)
    if case.slug is not None:
        check_problem(answer, case)
    assert world.rows() == before
    assert world.server.process.poll() is guarded.process.poll() is None


def test_the_same_body_answers_every_key_that_is_not_valid(world: World) -> None:
    cases = [case for case in CASES if case.status == 401]
    bodies = [ask(world, world.server.port, case).json() for case in cases]

    without_id = [{k: v for k, v in body.items() if k != "request_id"} for body in bodies]
    assert all(body == without_id[0] for body in without_id)


def test_a_search_for_wildcards_finds_nothing(world: World) -> None:
    searches = [case for case in CASES if case.name.startswith("24 q=")]
    found = [ask(world, world.server.port, case).json()["items"] for case in searches]

    assert found == [[]] * len(searches)
    all_posts = Case("", request("GET", "/api/v1/posts", [KEY]), 200, None)
    assert ask(world, world.server.port, all_posts).json()["items"]


def test_the_name_a_server_is_known_by_is_served(guarded: ServerProcess) -> None:
    for host in ("api.example", "API.example", f"api.example:{guarded.port}"):
        assert talk(guarded.port, request("GET", "/problems", host=host)).status == 200
    absolute = request("GET", "http://api.example/problems", host="api.example")
    assert talk(guarded.port, absolute).status == 200


def test_head_has_the_headers_of_get(world: World) -> None:
    for target in (USERS, f"{USERS}/<user>", "/api/v1/posts?limit=1", f"{USERS}/by-email/<email>"):
        get, head = (
            ask(world, world.server.port, Case("", request(method, target, [KEY]), 200, None))
            for method in ("GET", "HEAD")
        )

        assert (get.status, head.status, head.body) == (200, 200, b"")
        assert stable(get) == stable(head)


def stable(answer: Answer) -> list[tuple[str, str]]:
    return [item for item in answer.headers if item[0] not in {"date", "x-request-id"}]


def test_a_trailing_slash_changes_nothing(world: World) -> None:
    plain, slashed = (
        ask(world, world.server.port, Case("", request("GET", target, [KEY]), 200, None))
        for target in (f"{USERS}/<user>", f"{USERS}/<user>/")
    )

    assert (slashed.status, slashed.body) == (plain.status, plain.body)


def test_endless_chunks_end_at_the_limit_and_take_no_memory(world: World) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    head = request("POST", USERS, [KEY, JSON, ("Transfer-Encoding", "chunked")])
    before = resident_bytes(world)

    answers = [
        talk(world.server.port, world.fill(head.decode()).encode() + chunk * 12, until_closed=True)
        for _ in range(3)
    ]

    assert [answer.status for answer in answers] == [413, 413, 413]
    assert resident_bytes(world) - before < 32 * 1024 * 1024


def resident_bytes(world: World) -> int:
    status = Path(f"/proc/{world.server.process.pid}/status").read_text(encoding="ascii")
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kilobytes) * 1024


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["abc-1.2_3"], True),
        (["x" * 128], True),
        (["x" * 129], False),
        (["x" * 10_000], False),
        (["a%0d%0aX-Evil: 1"], False),
        (["a b"], False),
        ([""], False),
        (["\xe9"], False),
        (["one", "two"], False),
        (["<script>"], False),
    ],
    ids=lambda value: str(value)[:30],
)
def test_52_a_request_id_is_taken_only_if_it_is_one(
    world: World, given: list[str], kept: bool
) -> None:
    sent = [("X-Request-Id", value) for value in given]
    for target, status in (("/problems", 200), ("/nothing", 404), ("http://evil/", 400)):
        answer = talk(world.server.port, request("GET", target, sent))
        used = answer.header("x-request-id")

        assert answer.status == status
        assert (used == given[0]) is kept
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", used or "")
        assert answer.header("x-evil") is None


def test_52_forwarding_headers_of_a_client_are_not_believed(world: World) -> None:
    lies = [
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "for=6.6.6.6;host=evil.example"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/api/v1/keys"),
    ]
    answers: list[Any] = []
    for target in (f"{USERS}?limit=1", f"{USERS}/<user>", f"{USERS}/<missing>"):
        case = Case("", request("GET", target, [KEY, *lies]), 200, None)
        answers.append(ask(world, world.server.port, case))

    assert [answer.status for answer in answers] == [200, 200, 404]
    assert answers[0].header("link").startswith(f"<{USERS}?")
    log = world.server.log.read_text()
    for lie in ("6.6.6.6", "evil.example", "gopher"):
        assert lie not in log
        assert all(lie not in str(answer.headers) + answer.body.decode() for answer in answers)
