"""The deadline, against a real server; its length here is 2 seconds."""

import json

HOST = b"Host: localhost\r\n"
GET = b"GET /hello HTTP/1.1\r\n" + HOST + b"\r\n"


def test_a_request_that_ignores_cancellation_is_503_at_its_deadline(service):
    connection = service.connect()
    connection.send(b"GET /frozen/f1 HTTP/1.1\r\n" + HOST + b"X-Request-Id: frozen-1\r\n\r\n")
    answer = connection.answer()

    assert (answer.status, answer.problem) == (503, "deadline-exceeded")
    assert answer.headers["retry-after"] == "1"
    assert json.loads(answer.body)["request_id"] == "frozen-1"
    service.wait_until_arrived("f1-cancelled")
    assert connection.send(GET).answer().status == 200  # the connection is as good as new

    service.get("/release/f1")
    *_, last = service.lines_of("frozen-1", 3)
    assert (last["event"], last["error_type"]) == ("an abandoned request failed", "RuntimeError")
    assert connection.send(GET).answer().status == 200
    assert "never retrieved" not in service.text()


def test_a_deadline_during_commit_says_that_the_outcome_is_unknown(service):
    connection = service.connect().send(b"GET /commit/c1 HTTP/1.1\r\n" + HOST + b"\r\n")

    assert connection.answer().problem == "outcome-unknown"
    service.get("/release/c1")
    service.wait_until_arrived("c1-committed")  # a COMMIT that is only slow is not cut off
    assert connection.send(GET).answer().status == 200  # its late answer was dropped


def test_an_answer_that_has_begun_is_not_cut(service):
    client = service.connect().send(b"GET /stream/s1 HTTP/1.1\r\n" + HOST + b"\r\n")
    assert client.answer().status == 200
    late = service.talk(b"GET /wait/s1-deadline HTTP/1.1\r\n" + HOST + b"\r\n")
    assert late.problem == "deadline-exceeded"  # began later, so the stream's time is over too

    service.get("/release/s1")
    while not client.unread.endswith(b"0\r\n\r\n"):
        client._read()

    assert b"finished" in client.unread
