"""What a client and an operator see of each request to a real server."""

import json

import pytest

HOST = b"Host: localhost\r\n"


def test_a_valid_request_id_is_kept_in_answer_and_log(service):
    answer = service.get("/hello", {"X-Request-Id": "kept.1_a-b"})

    assert answer.headers["x-request-id"] == answer.json()["id"] == "kept.1_a-b"
    assert [line["event"] for line in service.lines_of("kept.1_a-b", 2)] == ["hello", "request"]


@pytest.mark.parametrize(
    "bad",
    [b"a b", b"a%0d%0aX-Evil: 1", b"a" * 129, b"", "ü".encode(), b'"x"', b"a\r\nX-Request-Id: b"],
)
def test_any_other_request_id_is_replaced(service, bad):
    answer = service.talk(b"GET /hello HTTP/1.1\r\n" + HOST + b"X-Request-Id: " + bad + b"\r\n\r\n")

    assert answer.status == 200
    assert answer.headers["x-request-id"] == json.loads(answer.body)["id"]
    assert len(answer.headers["x-request-id"]) == 32
    assert "x-evil" not in answer.headers


def test_the_log_line_has_what_an_operator_needs_and_no_path(service):
    service.get("/hello/?secret=1", {"X-Request-Id": "line-1"})

    line = service.lines_of("line-1", 2)[-1]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["logger"]) == ("info", "kingpost.access")
    assert (line["method"], line["route"], line["status"]) == ("GET", "/hello", 200)
    assert (line["statements"], line["database_ms"]) == (0, 0.0)
    assert line["duration_ms"] > 0
    assert "secret" not in json.dumps(line)


def test_an_unmatched_path_is_no_label(service):
    service.get("/never-seen-path", {"X-Request-Id": "unmatched-1"})

    assert service.lines_of("unmatched-1")[0]["route"] is None
    metrics = service.get("/metrics").text
    assert "never-seen-path" not in metrics
    assert 'method="GET",route="unmatched",status="404"' in metrics


def test_a_trace_is_in_every_line_of_its_request(service):
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"X-Request-Id": "traced-1", "traceparent": f"00-{trace}-{span}-01"}
    service.get("/hello", headers)

    for line in service.lines_of("traced-1", 2):
        assert (line["trace_id"], line["span_id"]) == (trace, span)


def test_an_unexpected_error_is_500_without_its_message(service):
    answer = service.get("/boom", {"X-Request-Id": "boom-1"})

    assert answer.status_code == 500
    assert answer.json() == {
        "type": "/problems/internal-error",
        "title": "Something went wrong on our side",
        "status": 500,
        "instance": "/boom",
        "request_id": "boom-1",
    }
    failure, access = service.lines_of("boom-1", 2)
    assert (failure["error_type"], failure["route"]) == ("ValueError", "/boom")
    assert len(failure["fingerprint"]) == 12
    assert access["status"] == 500
    assert "canary" not in service.text()


def test_the_same_error_has_the_same_fingerprint(service):
    for number in (1, 2):
        service.get("/boom", {"X-Request-Id": f"fingerprint-{number}"})
    prints = [service.lines_of(f"fingerprint-{n}", 2)[0]["fingerprint"] for n in (1, 2)]

    assert prints[0] == prints[1]


def test_in_development_the_whole_traceback_is_logged_without_secrets(start):
    service = start(environment="development")
    service.get("/boom")

    service.wait_for(lambda: "Traceback (most recent call last)" in service.text())
    assert "in boom" in service.text()
    assert "canary" not in service.text()


def test_an_error_after_the_answer_has_begun_cuts_the_connection(service):
    connection = service.connect()
    connection.send(b"GET /boom-late HTTP/1.1\r\n" + HOST + b"X-Request-Id: late-1\r\n\r\n")

    assert connection.answer().status == 200
    assert connection.rest() == b"5\r\nbegun\r\n"  # no last chunk: the client knows
    assert "ValueError" in {line.get("error_type") for line in service.lines_of("late-1", 2)}


def test_a_client_that_leaves_is_noted(service):
    connection = service.connect()
    connection.send(b"GET /wait/left HTTP/1.1\r\n" + HOST + b"X-Request-Id: left-1\r\n\r\n")
    service.wait_until_arrived("left")
    connection.close()
    service.get("/release/left")

    assert service.lines_of("left-1")[0]["disconnected"] is True
    assert "http_server_client_disconnects_total 1.0" in service.get("/metrics").text


def test_a_client_that_leaves_during_its_upload_is_499(service):
    connection = service.connect()
    head = b"POST /echo HTTP/1.1\r\n" + HOST + b"X-Request-Id: left-2\r\nContent-Length: 9\r\n\r\n"
    connection.send(head + b"abc")
    service.get("/hello")
    connection.close()

    assert service.lines_of("left-2")[0]["status"] == 499


def test_what_clients_write_stays_in_its_line(service):
    evil = "a%0A%7B%22event%22:%22fake%22%7D%E2%80%A8%1B%5B31mred%00"
    service.get(f"/hello?note={evil}", {"X-Request-Id": "evil-1"})

    (line, _) = service.lines_of("evil-1", 2)
    assert line["note"] == 'a\n{"event":"fake"}\u2028\x1b[31mred\0'
    assert "fake" not in {line["event"] for line in service.lines()}
    assert not any(character in service.text() for character in "\u2028\x1b\0\r")


def test_every_line_of_a_server_in_production_is_one_json_object(service):
    service.get("/boom")

    lines = [line for line in service.text().splitlines() if not line.startswith("READY")]
    parsed = [json.loads(line) for line in lines]
    assert all({"timestamp", "level", "logger", "event"} <= line.keys() for line in parsed)
    assert "uvicorn.error" in {line["logger"] for line in parsed}


def test_probes_are_not_in_the_log(service):
    service.get("/livez", {"X-Request-Id": "probe-1"})
    service.get("/hello", {"X-Request-Id": "after-probe"})
    service.lines_of("after-probe", 2)

    assert "probe-1" not in service.text()
    assert 'route="/livez"' in service.get("/metrics").text
