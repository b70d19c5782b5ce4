"""What an operator sees of the service: logs, metrics, readiness, the reference."""

import json
import re
import signal
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kingpost.testing.process import ServerProcess, free_port, wait_for

PRODUCTION = {
    "APP_ENVIRONMENT": "production",
    "APP_SECRET": "only-for-tests-" * 3,
    "APP_LOG_LEVEL": "info",
    "APP_DRAIN_SECONDS": 0,
}


def lines_of(server: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def test_every_line_is_a_json_object_and_knows_its_request(start_server: Any) -> None:
    server = start_server(**PRODUCTION, APP_SLOW_STATEMENT=0, APP_POOL_SIZE=500)
    email = f"{uuid4().hex}@example.org"
    with httpx.Client(base_url=server.url, headers=server.headers, trust_env=False) as http:
        made = http.post("/api/v1/users", json={"email": email}, headers={"X-Request-Id": "made"})
        shown = http.get(made.headers["location"], headers={"X-Request-Id": "shown"})
        key = http.get("/api/v1/keys").json()["items"][0]
    assert (made.status_code, shown.status_code) == (201, 200)
    assert server.stop() == 0

    lines = lines_of(server)
    assert all({"timestamp", "level", "logger", "event"} <= line.keys() for line in lines)
    assert "uvicorn.error" in {line["logger"] for line in lines}
    [access] = [
        line
        for line in lines
        if line["logger"] == "kingpost.access" and line["request_id"] == "shown"
    ]
    assert (access["method"], access["route"]) == ("GET", "/api/v1/users/{user_id}")
    assert (access["status"], access["statements"]) == (200, 1)
    assert access["duration_ms"] > 0
    assert access["actor"] == f"key:{key['id']}"

    [warned] = [line for line in lines if line["logger"] == "kingpost.cli.serve"]
    assert (warned["wanted"], warned["given"]) == (509, 197)

    slow = [line for line in lines if line["logger"] == "kingpost.database.slow"]
    inserted = [line for line in slow if "INSERT INTO users" in line["event"]]
    assert [line["request_id"] for line in inserted] == ["made"]
    text = server.log.read_text()
    assert email not in text
    assert str(server.key) not in text


def test_the_operations_port_has_the_metrics_of_the_service_and_the_api_port_has_none(
    start_server: Any,
) -> None:
    server = start_server(APP_OPS_PORT=free_port())
    with httpx.Client(base_url=server.url, headers=server.headers, trust_env=False) as http:
        assert http.get("/api/v1/users").status_code == 200
        assert http.get(f"/api/v1/users/{uuid4()}").status_code == 404
        hidden = [http.get(path).status_code for path in ("/livez", "/readyz", "/metrics")]
        metrics = http.get(f"{server.ops_url}/metrics").text
    assert hidden == [404, 404, 404]
    for sample in (
        'http_server_requests_total{method="GET",route="/api/v1/users",status="200"} 1.0',
        'http_server_requests_total{method="GET",route="/api/v1/users/{user_id}",status="404"} 1.0',
        "http_server_requests_in_flight 1.0",  # the one that asks
        "database_pool_in_use 0.0",
        "database_pool_waiting 0.0",
    ):
        assert sample in metrics.splitlines()
    assert re.search(r'^database_statements_total\{sqlstate="00000"\} \d', metrics, re.MULTILINE)


def test_after_sigterm_it_is_not_ready_before_it_refuses_connections(start_server: Any) -> None:
    server = start_server(APP_DRAIN_SECONDS=300)
    server.process.send_signal(signal.SIGTERM)

    def is_draining() -> bool:
        answer = httpx.get(f"{server.url}/readyz", trust_env=False)
        return answer.status_code == 503 and "shutting down" in answer.text

    wait_for(is_draining, 60, lambda: AssertionError("it stays ready"))
    with httpx.Client(base_url=server.url, headers=server.headers, trust_env=False) as http:
        served = http.get("/api/v1/users")
        made = http.post("/api/v1/users", json={"email": "late@example.org"})
    assert (served.status_code, made.status_code) == (200, 201)
    assert served.headers["connection"] == "close"
    assert server.stop(signal.SIGINT) == 0  # the second signal does not wait for the rest


@pytest.mark.parametrize(
    ("settings", "status"), [({}, 200), (PRODUCTION, 404), (PRODUCTION | {"APP_DOCS": True}, 200)]
)
def test_the_reference_is_off_in_production_unless_asked_for(
    start_server: Any, settings: dict[str, object], status: int
) -> None:
    server = start_server(**settings)
    answer = httpx.get(f"{server.url}/docs", trust_env=False)
    assert answer.status_code == status
    assert not re.search(r"""(src|href)=["'](https?:)?//""", answer.text)
