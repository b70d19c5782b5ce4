"""Requests that must never reach an application, and those that must although they look odd."""

import json
import re
from random import Random
from socket import SHUT_WR

import httpx
import pytest

HOST = b"Host: localhost\r\n"
GET = b"GET /hello HTTP/1.1\r\n" + HOST
POST = b"POST /echo HTTP/1.1\r\n" + HOST


def test_a_plain_request_is_served_without_naming_the_server(service):
    answer = service.talk(GET + b"\r\n")

    assert answer.status == 200
    assert "server" not in answer.headers
    assert "date" in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", id="CL+TE"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", id="TE+CL"),
        pytest.param(POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", id="two CL"),
        pytest.param(POST + b"Content-Length: 3, 3\r\n\r\nabc", id="CL list"),
        pytest.param(POST + b"Content-Length: -3\r\n\r\n", id="negative CL"),
        pytest.param(POST + b"Content-Length: +3\r\n\r\nabc", id="signed CL"),
        pytest.param(POST + b"Content-Length: 99999999999999999999999\r\n\r\n", id="huge CL"),
        pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="TE gzip"),
        pytest.param(POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n", id="TE twice"),
        pytest.param(POST + b"Transfer-Encoding: identity\r\n\r\n", id="TE identity"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="bad chunk size"),
        pytest.param(
            b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="TE in 1.0",
        ),
        pytest.param(b"GET /hello HTTP/1.1\nHost: localhost\n\n", id="bare LF"),
        pytest.param(GET + b"X: a\nY: b\r\n\r\n", id="bare LF in a header"),
        pytest.param(GET + b"X: a\0b\r\n\r\n", id="NUL in a value"),
        pytest.param(GET + b"X\0: a\r\n\r\n", id="NUL in a name"),
        pytest.param(GET + b"X : a\r\n\r\n", id="space before colon"),
        pytest.param(GET + b"X: a\r\n folded\r\n\r\n", id="folded line"),
        pytest.param(b"GET /hello HTTP/9.9\r\n" + HOST + b"\r\n", id="HTTP/9.9"),
        pytest.param(b"GET /hello HTTP/2.0\r\n" + HOST + b"\r\n", id="HTTP/2.0"),
        pytest.param(b"GET /hello\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2 preface"),
        pytest.param(b"GET /hello HTTP/1.1\r\n\r\n", id="no Host"),
        pytest.param(GET + b"Host: localhost\r\n\r\n", id="two Hosts"),
        pytest.param(b"GET /hello HTTP/1.1\r\nHost:\r\n\r\n", id="empty Host"),
        pytest.param(b"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", id="Host with a space"),
        pytest.param(b"GET /hello HTTP/1.1\r\nHost: x@localhost\r\n\r\n", id="Host with user"),
        pytest.param(b"GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n", id="foreign Host"),
        pytest.param(
            b"GET http://api.example/hello HTTP/1.1\r\n" + HOST + b"\r\n", id="other host"
        ),
        pytest.param(
            b"GET http://u@localhost/hello HTTP/1.1\r\n" + HOST + b"\r\n", id="user in URL"
        ),
        pytest.param(b"GET ftp://localhost/hello HTTP/1.1\r\n" + HOST + b"\r\n", id="ftp"),
        pytest.param(b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", id="GET *"),
        pytest.param(b"GET hello HTTP/1.1\r\n" + HOST + b"\r\n", id="relative target"),
        pytest.param(
            b"GET /hello HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
            id="no Host, with an upgrade",
        ),
        pytest.param(b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", id="space in target"),
        pytest.param("GET /é HTTP/1.1\r\n".encode() + HOST + b"\r\n", id="raw UTF-8 in target"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS hello"),
        pytest.param(b"\0\0\0\0\r\n\r\n", id="binary"),
    ],
)
def test_a_request_that_cannot_be_understood_is_400_and_closes(service, request_bytes):
    connection = service.connect().send(request_bytes)
    answer = connection.answer()

    assert (answer.status, answer.problem) == (400, "bad-request")
    assert answer.headers["connection"] == "close"
    assert connection.rest() == b""


@pytest.mark.parametrize("method", [b"FOO", b"get", b"X-Y", b"CONNECT"])
def test_a_method_nobody_knows_is_501(service, method):
    target = b"localhost:80" if method == b"CONNECT" else b"/hello"
    answer = service.talk(method + b" " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")

    assert (answer.status, answer.problem) == (501, "method-not-implemented")


def test_a_refused_head_request_gets_no_content(service):
    connection = service.connect().send(b"HEAD /hello HTTP/1.1\r\n\r\n")

    assert connection.answer(head=True).status == 400
    assert connection.rest() == b""


def test_a_method_without_a_route_is_the_routers_business(service):
    answer = service.talk(b"TRACE /hello HTTP/1.1\r\n" + HOST + b"\r\n")

    assert answer.status == 405


def test_an_address_that_is_too_long_is_414(service):
    answer = service.talk(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")

    assert (answer.status, answer.problem) == (414, "uri-too-long")


def test_an_address_at_the_limit_is_served(service):
    target = b"/hello?" + b"a" * (1024 - 7)

    assert service.talk(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n").status == 200
    assert service.talk(b"GET " + target + b"a HTTP/1.1\r\n" + HOST + b"\r\n").status == 414


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"X: " + b"a" * 100_000 + b"\r\n", id="one long line"),
        pytest.param(b"".join(b"X-%d: %s\r\n" % (i, b"a" * 500) for i in range(10)), id="sum"),
        pytest.param(b"".join(b"X-%d: a\r\n" % i for i in range(2000)), id="many lines"),
        pytest.param(b"X" * 100_000 + b": a\r\n", id="long name"),
    ],
)
def test_headers_beyond_the_limits_are_431(service, lines):
    answer = service.talk(GET + lines + b"\r\n")

    assert (answer.status, answer.problem) == (431, "header-too-large")


def test_headers_at_the_limit_are_served(service):
    assert (
        service.talk(GET + b"".join(b"X-%d: a\r\n" % i for i in range(19)) + b"\r\n").status == 200
    )
    assert (
        service.talk(GET + b"".join(b"X-%d: a\r\n" % i for i in range(20)) + b"\r\n").status == 431
    )


@pytest.mark.parametrize(
    "beginning", [GET + b"X: ", GET, GET + b"Y"], ids=["value", "lines", "name"]
)
def test_a_head_that_never_ends_is_cut_while_it_arrives(service, beginning):
    more = b"X: a\r\n" if beginning is GET else b"a"
    connection = service.connect().send(beginning)
    for _ in range(40):
        connection.send(more * (1000 // len(more)))

    assert connection.answer().problem == "header-too-large"


def test_the_answer_arrives_although_the_client_is_still_sending(service):
    connection = service.connect().send(GET + b"X: " + b"a" * 8_000_000)

    assert connection.answer().status == 431
    assert connection.rest() == b""


def test_the_answer_to_a_refused_upload_arrives_although_the_client_is_still_sending(service):
    head = b"POST /refuse HTTP/1.1\r\n" + HOST + b"Content-Length: 8000000\r\n\r\n"
    connection = service.connect().send(head)
    connection.send(b"a" * 8_000_000)

    assert connection.answer().status == 413
    assert connection.rest() == b""


def test_a_small_body_nobody_reads_does_not_cost_the_connection(service):
    connection = service.connect()
    connection.send(b"POST /ignore HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n")
    assert connection.answer().body == b"ignored"

    connection.send(b"abcde" + GET + b"\r\n")

    assert connection.answer().status == 200


def test_a_large_body_nobody_reads_closes_the_connection(service):
    connection = service.connect()
    connection.send(b"POST /ignore HTTP/1.1\r\n" + HOST + b"Content-Length: 4000000\r\n\r\n")
    assert connection.answer().body == b"ignored"

    connection.send(b"a" * 3_000_000)

    assert connection.rest() == b""


def test_what_follows_a_body_that_came_too_late_is_not_carried_out(service):
    late = 256 * 1024 + 1
    connection = service.connect()
    connection.send(b"POST /ignore HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % late)
    assert connection.answer().body == b"ignored"

    connection.send(b"a" * (late - 1))
    connection.send(b"a" + b"GET /release/late HTTP/1.1\r\n" + HOST + b"\r\n")

    assert connection.rest() == b""
    opened = service.connect().send(b"GET /wait/late HTTP/1.1\r\n" + HOST + b"\r\n")
    assert opened.answer().problem == "deadline-exceeded"  # nobody has released it
    assert "unhandled error" not in service.text()


def test_a_head_that_takes_too_long_is_408(service):
    answer = service.talk(GET + b"X: a")

    assert (answer.status, answer.problem) == (408, "request-timeout")
    assert json.loads(answer.body)["detail"] == "The head was not complete after 2 s."


def test_a_client_that_begins_with_http_2_is_told_what_is_spoken(service):
    answer = service.talk(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))

    assert (answer.status, answer.problem) == (400, "bad-request")
    assert json.loads(answer.body)["detail"] == "This server speaks HTTP/1.1, not HTTP/2."


def test_a_connection_that_only_sends_empty_lines_is_closed(service):
    assert service.connect().send(b"\r\n").rest() == b""


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /hello HTTP/1.1\r\nHost: LOCALHOST:8000\r\n", id="case and port"),
        pytest.param(b"GET /hello HTTP/1.0\r\nHost: localhost\r\n", id="HTTP/1.0"),
        pytest.param(b"GET http://localhost/hello?a=1 HTTP/1.1\r\n" + HOST, id="absolute form"),
        pytest.param(b"GET http://LOCALHOST HTTP/1.1\r\n" + HOST, id="absolute form, no path"),
        pytest.param(GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\n", id="websocket"),
        pytest.param(GET + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n", id="h2c"),
        pytest.param(GET + b"X:\r\nY: \r\n", id="empty values"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: 10.0.0.1\r\n", id="probe by address"),
    ],
)
def test_what_is_odd_but_right_is_served(service, head):
    assert service.talk(head + b"\r\n").status == 200


def test_a_request_without_host_needs_http_1_0_and_no_list_of_hosts(service, start):
    bare = b"GET /hello HTTP/1.0\r\n\r\n"

    assert service.talk(bare).status == 400
    assert start().talk(bare).status == 200


def test_options_for_the_whole_server_is_no_error_of_ours(service):
    assert service.talk(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n").status in {200, 204, 404, 405}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"Content-Length: 3\r\n\r\nabc", id="length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", id="chunked"),
    ],
)
def test_a_body_with_an_offered_upgrade_is_not_taken_for_the_next_request(service, body):
    offer = b"Upgrade: h2c\r\nConnection: Upgrade\r\n"
    connection = service.connect().send((POST + offer + body) * 3 + GET + b"\r\n")

    assert [connection.answer().body for _ in range(3)] == [b"3", b"3", b"3"]
    assert connection.answer().status == 200


def test_many_offered_upgrades_in_one_packet_are_served(service):
    request = GET + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    connection = service.connect().send(request * 1500)

    assert [connection.answer().status for _ in range(1500)] == [200] * 1500


def test_trailers_do_not_become_headers(service):
    chunked = b"POST /headers HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    trailers = b"3\r\nabc\r\n0\r\nAuthorization: Bearer trailer\r\n\r\n"
    connection = service.connect().send(chunked + trailers)
    connection.send(b"GET /headers HTTP/1.1\r\n" + HOST + b"\r\n")

    expected = [["host", "localhost"], ["transfer-encoding", "chunked"]]
    assert json.loads(connection.answer().body) == expected
    assert json.loads(connection.answer().body) == [["host", "localhost"]]


def test_a_body_that_breaks_after_its_answer_has_begun_ends_with_that_answer(service):
    head = b"POST /stream/broken HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    connection = service.connect().send(head)
    assert connection.answer().status == 200

    connection.send(b"zz\r\n")
    service.get("/hello")
    service.get("/release/broken")

    assert connection.rest() == b"6\r\nbegun \r\n8\r\nfinished\r\n0\r\n\r\n"


def test_pipelined_requests_have_their_own_ids(service):
    connection = service.connect().send((GET + b"\r\n") * 3)
    answers = [connection.answer() for _ in range(3)]

    ids = [json.loads(answer.body)["id"] for answer in answers]
    assert len(set(ids)) == 3
    assert ids == [answer.headers["x-request-id"] for answer in answers]


def test_a_refusal_waits_for_the_answers_to_earlier_requests(service):
    wait = b"GET /wait/pipelined HTTP/1.1\r\n" + HOST + b"\r\n"
    connection = service.connect().send(wait + GET + b"\r\n" + b"FOO / HTTP/1.1\r\n\r\n")
    service.wait_until_arrived("pipelined")
    service.get("/release/pipelined")

    assert connection.answer().body == b"released"
    assert connection.answer().status == 200
    assert connection.answer().problem == "method-not-implemented"
    assert connection.rest() == b""


def test_a_broken_body_is_400_once_and_ends_the_request(service):
    broken = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    connection = service.connect().send(GET + b"\r\n" + broken)
    assert connection.answer().status == 200

    connection.send(b"zz\r\n")

    assert connection.answer().problem == "bad-request"
    assert connection.rest() == b""


def test_a_broken_body_of_a_queued_request_waits_for_its_turn(service):
    wait = b"GET /wait/queued HTTP/1.1\r\n" + HOST + b"\r\n"
    broken = POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    connection = service.connect().send(wait + broken)
    service.wait_until_arrived("queued")
    service.get("/release/queued")

    assert connection.answer().body == b"released"
    assert connection.answer().problem == "bad-request"
    assert connection.rest() == b""


def test_a_refused_request_keeps_a_valid_id_and_is_logged_and_counted(service):
    service.talk(b"FOO /hello HTTP/1.1\r\n" + HOST + b"\r\n")
    answer = service.talk(GET + b"X-Request-Id: refused-1\r\nHost: localhost\r\n\r\n")

    assert answer.headers["x-request-id"] == "refused-1"
    assert json.loads(answer.body)["request_id"] == "refused-1"
    (line,) = service.lines_of("refused-1")
    assert (line["event"], line["status"], line["level"]) == ("request refused", 400, "warning")
    metrics = service.get("/metrics").text
    assert 'method="_OTHER",route="unmatched",status="501"' in metrics
    assert 'route="unmatched",status="400"' in metrics


def test_expect_100_continue_is_honoured(service):
    connection = service.connect()
    connection.send(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert connection.answer().status == 100

    connection.send(b"abc")

    assert connection.answer().body == b"3"


def test_a_client_library_can_reuse_its_connection(service):
    with httpx.Client(base_url=service.url, headers={"Host": "localhost"}, trust_env=False) as http:
        assert [http.get("/hello").status_code for _ in range(3)] == [200] * 3


SEEDS = [
    GET + b"\r\n",
    POST + b"Content-Length: 3\r\n\r\nabc",
    POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
    POST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc",
    b"HEAD http://localhost/hello?%ff HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    b"POST /ignore HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n",
]
PIECES = [
    *(b"\r\n", b"\n", b"\0", b" ", b":", b"\xff", b"zz\r\n", b"HTTP/1.0", b"%00", b"A" * 2000),
    *(b"Host: b\r\n", b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"X: y\r\n" * 25, b"Upgrade: websocket\r\nConnection: upgrade\r\n"),
]


def damaged(random: Random) -> bytes:
    data = b"".join(random.choices(SEEDS, k=random.randint(1, 4)))
    for _ in range(random.randint(0, 3)):
        at = random.randrange(len(data) + 1)
        piece = random.choice([b"", *PIECES, bytes([random.randrange(256)])])
        data = data[:at] + piece + data[at + random.randint(0, 3) :]
    return data


def test_no_damage_to_a_request_makes_the_server_fail(service):
    random = Random(2)
    for _ in range(400):
        data = damaged(random)
        connection = service.connect()
        try:
            while data:
                size = random.choice([1, 7, 50, len(data)])
                connection.send(data[:size])
                data = data[size:]
            connection.socket.shutdown(SHUT_WR)
            answers = connection.rest()
        except OSError:
            continue  # it was refused and closed before everything was sent
        statuses = {int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers)}
        assert all(status < 500 or status == 501 for status in statuses), answers

    assert service.get("/hello").status_code == 200
    assert {line["logger"] for line in service.lines()}.isdisjoint({"asyncio", "kingpost.errors"})
