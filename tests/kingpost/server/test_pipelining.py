"""Requests that are sent before the answers to earlier ones have arrived."""

import json

FIRST = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_a_head_that_was_half_there_when_the_answer_before_it_was_sent_stays_whole(service):
    head = b"GET /headers HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\nX-Y: z\r\n\r\n"
    connection = service.connect()
    for cut in range(1, len(head)):
        connection.send(FIRST + head[:cut])
        assert connection.answer().status == 200
        answer = connection.send(head[cut:]).answer()

        assert answer.status == 200, head[:cut]
        expected = [["host", "localhost"], ["authorization", "x"], ["x-y", "z"]]
        assert json.loads(answer.body) == expected, head[:cut]


def test_a_foreign_host_is_seen_although_an_answer_was_sent_after_it_arrived(service):
    begun = b"GET /hello HTTP/1.1\r\nHost: evil.example\r\nX-Request-Id: half-1\r\n"
    connection = service.connect().send(FIRST + begun)
    assert connection.answer().status == 200
    answer = connection.send(b"Host: localhost\r\n\r\n").answer()

    assert (answer.status, answer.problem) == (400, "bad-request")
    assert answer.headers["x-request-id"] == "half-1"
    assert connection.rest() == b""


def test_a_head_that_is_never_finished_after_an_answer_is_408(service):
    begun = b"GET /hello HTTP/1.1\r\nX-Request-Id: half-2\r\nX: "
    connection = service.connect().send(FIRST + begun)
    assert connection.answer().status == 200
    answer = connection.answer()

    assert (answer.status, answer.problem) == (408, "request-timeout")
    assert answer.headers["x-request-id"] == "half-2"


def test_a_rest_of_a_body_that_stalls_after_its_answer_closes_the_connection(service):
    head = b"POST /ignore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    connection = service.connect().send(head)
    assert connection.answer().body == b"ignored"

    assert connection.send(b"a").rest() == b""


def test_a_rest_of_a_body_that_never_comes_closes_the_connection_after_the_same_time(service):
    head = b"POST /ignore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    connection = service.connect().send(head)

    assert connection.answer().body == b"ignored"
    assert connection.rest() == b""
