"""`kingpost dev` as a developer meets it: real processes, real signals, a real PostgreSQL."""

import os
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from kingpost.embedded.process import running_pid
from kingpost.testing.process import NO_TLS

Until = Callable[[Callable[[], bool]], None]


@pytest.fixture
def serving(tiny: Any, port: int, until: Until) -> Callable[..., subprocess.Popen[str]]:
    def start(*arguments: str, **env: str) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = tiny.start("dev", *arguments, TINY_PORT=str(port), **env)

        def ready() -> bool:
            assert process.poll() is None, tiny.output()
            return answer(port) is not None

        until(ready)
        return process

    return start


def answer(port: int) -> Any:
    try:
        response = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, verify=NO_TLS)
    except httpx.TransportError:
        return None
    return response.json()


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_the_first_run_makes_a_key_and_a_curl_that_works(
    tiny: Any, serving: Callable[..., Any], port: int
) -> None:
    serving()
    shown = tiny.output()

    assert f"http://127.0.0.1:{port}\n" in shown
    assert f"http://127.0.0.1:{port}/docs" in shown
    assert re.search(r"API key +tiny_[0-9a-f]{32} ", shown)
    curl = re.search(r"curl .*", shown)
    assert curl is not None
    pasted = subprocess.run(shlex.split(curl[0]), capture_output=True, text=True, check=True)
    assert '"keys":1' in pasted.stdout


@pytest.mark.parametrize(
    ("how", "arguments"),
    [(signal.SIGINT, ()), (signal.SIGTERM, ()), (signal.SIGTERM, ("--no-reload",))],
)
def test_a_signal_ends_everything_with_exit_code_0(
    tiny: Any, serving: Callable[..., Any], port: int, how: signal.Signals, arguments: tuple[str]
) -> None:
    process = serving(*arguments)
    os.killpg(process.pid, how) if how is signal.SIGINT else process.send_signal(how)

    assert process.wait(60) == 0
    assert port_is_free(port)
    assert running_pid(tiny.data / "data") is None


def test_after_sigkill_the_next_run_finds_its_data_and_makes_no_second_key(
    tiny: Any, serving: Callable[..., Any], port: int, until: Until
) -> None:
    process = serving()
    process.kill()
    process.wait()
    until(lambda: port_is_free(port))
    assert running_pid(tiny.data / "data") is not None

    again = serving()

    assert answer(port) == {"greeting": "hello", "keys": 1}
    assert "tiny_" not in tiny.output()
    again.terminate()
    assert again.wait(60) == 0
    assert running_pid(tiny.data / "data") is None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("arguments", [(), ("--no-reload",)])
def test_a_postgres_that_was_ended_is_started_again_and_it_is_said(
    tiny: Any,
    serving: Callable[..., Any],
    port: int,
    until: Until,
    how: signal.Signals,
    arguments: tuple[str, ...],
) -> None:
    process = serving(*arguments)
    first = running_pid(tiny.data / "data")
    assert first is not None
    os.kill(first, how)

    until(lambda: "PostgreSQL had ended, and was started again" in tiny.output())
    assert running_pid(tiny.data / "data") not in (None, first)
    until(lambda: is_served(port))
    process.terminate()
    assert process.wait(60) == 0
    assert running_pid(tiny.data / "data") is None


def test_a_postgres_whose_data_are_gone_does_not_begin_anew_unasked(
    tiny: Any, serving: Callable[..., Any], until: Until
) -> None:
    process = serving()
    first = running_pid(tiny.data / "data")
    assert first is not None
    (tiny.data / "data").rename(tiny.data / "elsewhere")
    os.kill(first, signal.SIGKILL)

    until(lambda: "are gone: end this and start it again" in tiny.output())
    assert not (tiny.data / "data").exists()
    process.terminate()
    assert process.wait(60) == 0
    assert tiny.output().count("are gone") == 1


def is_served(port: int) -> bool:
    response = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
    return response.status_code == 200


def test_a_changed_file_is_served_without_a_restart(
    tiny: Any, serving: Callable[..., Any], port: int, until: Until
) -> None:
    serving()
    main = tiny.root / "src" / "tiny" / "main.py"
    main.write_text(main.read_text().replace("settings.greeting", '"changed"'))

    until(lambda: (answer(port) or {}).get("greeting") == "changed")


def test_settings_reach_the_served_process(
    serving: Callable[..., Any], port: int, tiny: Any
) -> None:
    (tiny.root / ".env").write_text("TINY_GREETING=from a file\n")
    serving()

    assert answer(port)["greeting"] == "from a file"


def test_a_taken_port_is_one_line_before_the_database_is_started(tiny: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        done = tiny.run("dev", "--port", number)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert number in done.stderr
    assert "TINY_PORT" in done.stderr
    assert not tiny.data.exists()


def test_the_embedded_server_is_refused_in_production(tiny: Any) -> None:
    production = {"TINY_ENVIRONMENT": "production", "TINY_SECRET": "s" * 40}

    for command in (("dev",), ("keys", "list"), ("db", "url"), ("db", "reset", "--yes")):
        done = tiny.run(*command, env=production)
        assert done.returncode == 1, command
        assert "production" in done.stderr
        assert done.stderr.count("\n") == 1
    assert not tiny.data.exists()


def test_a_folder_that_cannot_hold_the_database_is_one_line(tiny: Any) -> None:
    Path(tiny.root / ".kingpost").mkdir()
    (tiny.root / ".kingpost" / "postgres").write_text("in the way")

    done = tiny.run("dev", env={"TINY_PORT": "0"})

    assert done.returncode == 1
    assert done.stderr.startswith("kingpost: ")
    assert done.stderr.count("\n") == 1
    (tiny.root / ".kingpost" / "postgres").unlink()


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait()


def pasted(command: str, folder: Path) -> str:
    done = subprocess.run(
        shlex.split(command), cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


GUARDED = """
    from kingpost.http.security import needs

    @app.middleware("http")
    async def anybody(request, call_next):
        request.scope["kingpost.principal"] = None
        return await call_next(request)

    @app.get("/things", dependencies=[needs("things:read")])
    async def things():
        return ["a thing"]

    return app
"""


@pytest.mark.parametrize("how", ["settings", "runtime"])
def test_without_keys_the_curl_is_of_a_real_path_and_needs_none(
    tiny: Any, serving: Callable[..., Any], how: str
) -> None:
    main = tiny.root / "src" / "tiny" / "main.py"
    text = main.read_text().replace("\n    return app\n", GUARDED)
    if how == "runtime":
        text = text.replace("keys=Keys(engine)", "keys=None").replace(
            "len(await app.state.kingpost.keys.list())", "0"
        )
    main.write_text(text)
    serving(**({"TINY_AUTH": "off"} if how == "settings" else {}))
    shown = tiny.output()

    told = "none needed (TINY_AUTH=off)" if how == "settings" else "none needed"
    assert f"  API key  {told}\n" in shown
    curl = re.search(r"curl .*", shown)
    assert curl is not None
    assert "Authorization" not in curl[0]
    assert pasted(curl[0], tiny.root) == '["a thing"]'


def test_a_later_run_tells_the_command_that_makes_another_key(
    tiny: Any, serving: Callable[..., Any], port: int
) -> None:
    stop(serving())
    serving()
    told = re.search(r"another one: (.*)", tiny.output())

    assert told is not None
    assert told[1].endswith("keys create me --scope things:read --scope 'things:*'")
    assert "key     tiny_" in pasted(told[1], tiny.root)
    assert answer(port)["keys"] == 2


def test_a_database_ahead_of_the_code_is_one_line_with_the_way_out(tiny: Any) -> None:
    tiny.run("db", "reset", "--yes")
    tiny.run("db", "psql", "--", "-c", "UPDATE alembic_version SET version_num = 'zz'")

    done = tiny.run("dev", "--port", "0")

    assert done.returncode == 1
    assert done.stderr.startswith(
        "kingpost: the database is at revision zz, which this code does not have: "
        "switch back to the code that made it, or start over with `"
    )
    assert done.stderr.endswith("kingpost db reset`\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ('keys.append_column(Column("note", Text))', "keys.note"),
        ("keys.c.name.nullable = True", "keys.name"),
        ('Table("more", metadata, Column("a", Text))', "more"),
    ],
)
def test_models_that_no_migration_knows_are_told(
    tiny: Any, until: Until, change: str, name: str
) -> None:
    tiny.run("db", "reset", "--yes")
    tables = tiny.root / "src" / "tiny" / "tables.py"
    tables.write_text(tables.read_text() + change + "\n")
    tiny.start("dev", "--port", "0")

    told = f"the models differ from the migrations (e.g. {name}): run `"
    until(lambda: told in tiny.output())


def test_models_that_the_migrations_know_are_not_told(
    tiny: Any, serving: Callable[..., Any]
) -> None:
    serving()

    assert "differ" not in tiny.output()
    assert "No new upgrade operations" not in tiny.output()


@pytest.mark.parametrize(
    ("given", "made", "told"),
    [
        (
            "app.state.kingpost",
            "app.state.ours",
            "create_app must call kingpost.http.install(app, runtime, …)",
        ),
        ("keys=Keys(engine)", "keys=None", "this service has no API keys"),
    ],
)
def test_a_service_without_keys_says_so(tiny: Any, given: str, made: str, told: str) -> None:
    main = tiny.root / "src" / "tiny" / "main.py"
    main.write_text(main.read_text().replace(given, made))

    done = tiny.run("keys", "list")

    assert (done.returncode, done.stderr) == (1, f"kingpost: {told}\n")
