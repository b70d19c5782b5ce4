"""Every code block of the documents does what it says."""

import ast
import asyncio
import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.architecture.documents import (
    DOCUMENTS,
    Block,
    Call,
    blocks,
    commands,
    curl,
    http,
    shown_members,
    shown_status,
)
from tests.architecture.source import ROOT

from kingpost.testing.process import ServerProcess

HARMLESS = {
    *("git", "cd", "cp", "pip", "source", "export", "mkdir", "ls", "psql", "docker", "kill"),
    "python3",
}
PLAIN = {"", "text", "mermaid", "diff", "sql"}
SHELL = {"sh", "console"}
LANGUAGES = PLAIN | SHELL | {"python", "json", "toml", "http"}
HERE = re.compile(r"https?://(?:127\.0\.0\.1|localhost):8000")
KEY = re.compile(r"\$\{?(?:API_)?KEY\}?|kp_[a-z]+_[\w.…]+")
on_one_driver = pytest.mark.parametrize("driver", ["asyncpg"], indirect=True)
of_each_page = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)


@of_each_page
def test_every_block_says_its_language_and_why_it_is_not_tested(page: Path) -> None:
    found = [line for block in blocks(page) for line in objections(block)]

    assert not found, "\n".join(found)


def objections(block: Block) -> list[str]:
    if block.is_skipped:
        why = len(block.reason) > 8
        return [] if why else [f"{block.where}: write `notest reason=...`"]
    if block.language not in LANGUAGES:
        return [f"{block.where}: nobody runs {block.language!r}; write `notest reason=...`"]
    return []


@of_each_page
def test_what_is_data_can_be_read(page: Path) -> None:
    readers: dict[str, Callable[[str], object]] = {"json": json.loads, "toml": tomllib.loads}
    for block in runnable(page):
        if block.language in readers:
            readers[block.language](block.code)


@of_each_page
def test_python_runs(page: Path) -> None:
    run_python([b for b in runnable(page) if b.language == "python" and b.file is None])


@of_each_page
def test_commands_exist(page: Path) -> None:
    for block in runnable(page):
        for command, _ in commands(block) if block.language in SHELL else ():
            check_command(command, block.where)


@of_each_page
@on_one_driver
@pytest.mark.usefixtures("driver")
def test_requests_are_answered_as_shown(page: Path, request: pytest.FixtureRequest) -> None:
    wanted = [call for block in runnable(page) for call in calls(block)]
    if wanted:
        server = request.getfixturevalue("start_server")()
        known: dict[str, str] = {}
        for call, shown, where in wanted:
            check_answer(server, call, shown, where, known)


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks(page) if not block.is_skipped]


def run_python(found: list[Block]) -> None:
    """The blocks of a page share their names, as a reader would expect."""
    names: dict[str, object] = {"__name__": "documents"}
    for block in found:
        padded = "\n" * block.line + block.code
        code = compile(padded, block.where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)  # noqa: S307 - our own documents
        if inspect.iscoroutine(result):
            asyncio.run(result)


def check_command(command: str, where: str) -> None:
    words = shlex.split(command, comments=True)
    while words and "=" in words[0]:
        words.pop(0)  # a variable set for this command
    program, *arguments = words or ["export"]
    name = Path(program).name
    if name == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        unknown = [a for a in arguments if "=" not in a and a not in targets]
        assert not unknown, f"{where}: make has no target {unknown}"
    elif name == "kingpost":
        assert has_subcommand(arguments), f"{where}: kingpost has no {arguments}"
    elif name in {"alembic", "pytest", "curl", "ruff", "mypy"} | HARMLESS:
        pass
    else:
        assert (ROOT / program).is_file(), f"{where}: what is {program}?"


def has_subcommand(arguments: list[str]) -> bool:
    """Asks the parser of the command line itself."""
    from kingpost.cli.main import _parser

    try:
        _parser(arguments).parse_args([a for a in arguments if a != "--help"])
    except SystemExit:
        return "--help" in arguments
    return True


def calls(block: Block) -> list[tuple[Call, str, str]]:
    if block.language == "http":
        return [(call, shown, block.where) for call, shown in http(block)]
    if block.language not in SHELL:
        return []
    typed = [pair for pair in commands(block) if pair[0].startswith("curl ")]
    return [(curl(command), shown, block.where) for command, shown in typed]


def check_answer(
    server: ServerProcess, call: Call, shown: str, where: str, known: dict[str, str]
) -> None:
    """Without a shown status an answer is expected to be a success.

    What is known is `$ID` and `$NEXT`, of the last answer that had them.
    """
    answer = send(server, filled_in(call, known))
    told = f"{where}: {call.method} {call.url} gave {answer.status_code} {answer.text}"
    expected = shown_status(shown)
    assert answer.status_code == expected if expected else answer.is_success, told
    if members := shown_members(shown):
        assert members <= set(answer.json()), f"{told}, but {members} are shown"
    is_json = answer.content and answer.headers.get("content-type") == "application/json"
    if answer.is_success and is_json:
        body = answer.json()
        known |= {f"${name.upper()}": body[name] for name in ("id", "next") if body.get(name)}


def filled_in(call: Call, known: dict[str, str]) -> Call:
    def fill(text: str) -> str:
        for name, value in known.items():
            text = text.replace(name, value)
        return text

    body = fill(call.body) if call.body else call.body
    return Call(call.method, fill(call.url), call.headers, body)


def send(server: ServerProcess, call: Call) -> httpx.Response:
    path = HERE.sub("", call.url)
    assert path.startswith("/"), f"{call.url} is not an address of the service"
    headers = {name: KEY.sub(server.key or "", value) for name, value in call.headers.items()}
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        return client.request(call.method, path, headers=headers, content=call.body)


def page_with(tmp_path: Path, block: str) -> Path:
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{block}\n")
    return page


def test_a_failing_python_block_is_seen(tmp_path: Path) -> None:
    page = page_with(tmp_path, "```python\nx = 1\n```\n\n```python\nassert x == 2\n```")

    with pytest.raises(AssertionError):
        test_python_runs(page)


def test_a_python_block_may_await(tmp_path: Path) -> None:
    test_python_runs(page_with(tmp_path, "```python\nimport asyncio\nawait asyncio.sleep(0)\n```"))


@pytest.mark.parametrize("command", ["make tset", "kingpost serv", "kingpost db rest", "./fix-it"])
def test_a_command_that_does_not_exist_is_seen(tmp_path: Path, command: str) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:3"):
        test_commands_exist(page_with(tmp_path, f"```console\n$ {command}\n```"))


@pytest.mark.parametrize(
    "fence", ["```rust\n", "```python notest\n", "```python notest reason=x\n"]
)
def test_a_block_that_is_not_tested_needs_a_reason(tmp_path: Path, fence: str) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:3"):
        test_every_block_says_its_language_and_why_it_is_not_tested(
            page_with(tmp_path, f"{fence}1\n```")
        )


@on_one_driver
@pytest.mark.parametrize(
    "block",
    [
        "```console\n$ curl -s http://127.0.0.1:8000/no-such-thing\n```",
        "```console\n$ curl -si http://127.0.0.1:8000/livez\nHTTP/1.1 201 Created\n```",
        '```console\n$ curl http://127.0.0.1:8000/openapi.json\n{"openapy": "3.1.0"}\n```',
        "```http\nGET /livez\n\nHTTP/1.1 404 Not Found\n```",
    ],
)
def test_an_answer_other_than_shown_is_seen(
    tmp_path: Path, block: str, server: ServerProcess
) -> None:
    ((call, shown, where),) = calls(blocks(page_with(tmp_path, block))[0])

    with pytest.raises(AssertionError, match=r"page\.md:3"):
        check_answer(server, call, shown, where, {})
