import pytest
from benchmarks.lab.wrk import Load, LoadFailed, Request, written

OUTPUT = """Running 2s test @ http://127.0.0.1:1
RESULT {"requests": 4000, "microseconds": 2000000, "bytes": 9, "connect": 1, "read": 2, \
"write": 3, "status": 4, "timeout": 5, "p50": 1500, "p95": 20000, "p99": 30000, "max": 40000}
"""


def test_the_result_line_is_read() -> None:
    load = Load.parse(OUTPUT)

    assert load.per_second == 2000
    assert load.errors == 15
    assert (load.p50, load.p95, load.p99, load.longest) == (1.5, 20, 30, 40)


def test_without_a_result_wrk_has_failed() -> None:
    with pytest.raises(LoadFailed, match="unable to connect"):
        Load.parse("unable to connect to 127.0.0.1:1")


def test_requests_are_written_in_three_lines_each() -> None:
    text = written([Request("GET", "/users/1"), Request("POST", "/posts", '{"a": 1}')])

    assert text.splitlines() == ["GET", "/users/1", "-", "POST", "/posts", '{"a": 1}']
