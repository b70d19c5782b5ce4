import json
import logging

import pytest
import structlog

from kingpost.context import RequestContext, current_request
from kingpost.observability import configure_logging

KEY = "kp_live_0123456789abcdefCANARY_x1"
URL = "postgresql+asyncpg://app:CANARY@db.example/app"


@pytest.fixture(autouse=True)
def _restore():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys):
    configure_logging("info", json=True)
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_our_lines_and_the_libraries_have_one_format(lines):
    structlog.get_logger("kingpost.x").info("ours", count=1)
    logging.getLogger("uvicorn.error").info("theirs %d", 2)

    ours, theirs = lines()
    assert list(ours)[:4] == list(theirs)[:4] == ["timestamp", "level", "logger", "event"]
    assert (ours["logger"], ours["event"], ours["count"]) == ("kingpost.x", "ours", 1)
    assert (theirs["logger"], theirs["event"]) == ("uvicorn.error", "theirs 2")


def test_the_current_request_is_in_every_line(lines):
    context = RequestContext("r-1", route="/users/{user_id}", actor="key:1")
    token = current_request.set(context)
    structlog.get_logger("a").info("ours")
    logging.getLogger("alembic").info("theirs")
    current_request.reset(token)

    ours, theirs = lines()
    for line in (ours, theirs):
        found = (line["request_id"], line["route"], line["actor"])
        assert found == ("r-1", "/users/{user_id}", "key:1")


def test_levels_below_the_lowest_are_not_written(lines):
    structlog.get_logger("a").debug("no")
    logging.getLogger("a").debug("no")
    logging.getLogger("sqlalchemy.engine").info("no")
    logging.getLogger("uvicorn.access").info("no")

    assert lines() == []


def fail():
    raise ValueError(f"value {KEY}")


def test_in_production_an_error_is_its_type_place_and_fingerprint(lines):
    token = current_request.set(RequestContext("r-1"))
    try:
        fail()
    except ValueError:
        structlog.get_logger("a").exception("ours")
        logging.getLogger("b").exception("theirs")
    current_request.reset(token)

    ours, theirs = lines()
    for line in (ours, theirs):
        assert line["error_type"] == "ValueError"
        assert line["stack"][-1].endswith(" fail")
        assert "error" not in line
        assert "Traceback" not in json.dumps(line)


def test_outside_of_requests_the_message_of_an_error_is_shown(lines):
    structlog.get_logger("a").error("no start", exc_info=ValueError("disk full"))

    assert lines()[0]["error"] == "disk full"


def test_in_development_a_traceback_is_for_people(capsys):
    configure_logging("debug", json=False)
    try:
        fail()
    except ValueError:
        logging.getLogger("b").exception("theirs")

    out = capsys.readouterr().out
    assert "Traceback (most recent call last)" in out
    assert KEY not in out


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nb", "\x1b[31mred", "a\u2028b", "a\x85b", "a\0b", "\x9b31m", "\ud800"]
)
def test_input_cannot_fake_a_line_or_move_the_cursor(capsys, as_json, text):
    configure_logging("info", json=as_json)
    structlog.get_logger("a").info(text, value=text, nested=[text])
    logging.getLogger("b").info("theirs %s", text)

    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2
    assert all(character.isprintable() or character == "\n" for character in out)


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_in_no_line(capsys, as_json):
    configure_logging("info", json=as_json)
    log = structlog.get_logger("a")
    log.info("key %s", KEY, key=KEY, url=URL, headers={"Authorization": "Bearer CANARY"})
    log.info("x", password="CANARY", secret="CANARY", api_key="CANARY", secret_hash="CANARY")
    log.info("x", nested={"list": [{"token": "CANARY"}, URL]}, pair=("password", URL))
    log.info("Authorization: Bearer CANARY.canary", dsn="host=x password=CANARY user=y")
    logging.getLogger("sqlalchemy").warning("cannot connect to %s", URL)
    try:
        raise ValueError(f"{KEY} {URL}")
    except ValueError:
        log.exception("failed")
        logging.getLogger("b").exception("failed")

    out = capsys.readouterr().out
    assert "CANARY" not in out
    assert len(out.splitlines()) >= 7
    assert "db.example" in out


def test_a_line_with_something_hidden_is_still_json(lines):
    structlog.get_logger("a").info("x", text=f'"{URL}" \\ {KEY}\\', keys=[KEY, KEY])

    (line,) = lines()
    assert line["keys"] == ["[hidden]", "[hidden]"]
    assert line["text"].startswith('"postgresql+asyncpg://app:[hidden]@db.example/app"')


def test_names_that_only_sound_secret_are_shown(lines):
    structlog.get_logger("a").info("x", tokens_used=3, keyboard="us", passwordless=True)

    line = lines()[0]
    assert (line["tokens_used"], line["keyboard"], line["passwordless"]) == (3, "us", True)


def test_things_json_does_not_know_do_not_break_a_line(lines):
    structlog.get_logger("a").info("x", thing=object(), octets=b"\xff")

    circle = {}
    circle["again"] = circle
    structlog.get_logger("a").info("y", circle=circle, keys={(1, 2): 3})

    thing, odd = lines()
    assert "object" in thing["thing"]
    assert odd["keys"] == "{(1, 2): 3}"


def test_a_full_disk_fails_nobody(monkeypatch):
    class Full:
        def write(self, _):
            raise OSError(28, "No space left on device")

        def flush(self):
            return

        def isatty(self):
            return False

    configure_logging("info", json=True)
    monkeypatch.setattr("sys.stdout", Full())

    structlog.get_logger("a").info("lost")
    logging.getLogger("b").info("lost too")


def test_a_wrong_log_call_of_a_library_fails_nobody(capsys):
    configure_logging("info", json=True)
    (handler,) = (h for h in logging.getLogger().handlers if type(h).__module__.startswith("king"))
    handler.handle(logging.LogRecord("b", logging.INFO, "b.py", 1, "%d", ("no number",), None))

    written = capsys.readouterr()
    assert written.out == ""
    assert "Logging error" in written.err
