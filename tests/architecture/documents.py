"""Reading the documents: their code blocks, and what a block asks to be done."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.architecture.source import ROOT

FENCE = re.compile(r"(?ms)^(?P<ticks>`{3,})(?P<info>[^`\n]*)\n(?P<code>.*?)^(?P=ticks)\s*$")
DOCUMENTS = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what else stands behind the fence, and its lines."""

    page: Path
    line: int
    language: str
    info: str
    code: str

    @property
    def where(self) -> str:
        name = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page
        return f"{name}:{self.line}"

    @property
    def is_skipped(self) -> bool:
        return "notest" in self.info.split()

    @property
    def file(self) -> str | None:
        """The file that a reader puts the block into; pages with such blocks are followed."""
        found = re.search(r"file=(\S+)", self.info)
        return found[1] if found else None

    @property
    def reason(self) -> str:
        return self.info.partition("reason=")[2].strip()


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for match in FENCE.finditer(text):
        language, _, info = match["info"].strip().partition(" ")
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, info, match["code"]))
    return found


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a block, each with the output that is shown below it."""
    lines = block.code.replace("\\\n", " ").splitlines()
    if block.language == "sh":
        return [(line.strip(), "") for line in lines if line.strip() and line.strip()[0] != "#"]
    found: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:].strip(), ""))
        elif found:
            command, output = found.pop()
            found.append((command, f"{output}{line}\n"))
    return found


@dataclass
class Call:
    """An HTTP request as a document writes it."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


def curl(command: str) -> Call:
    """Understands the few options of curl that documents need; others are refused."""
    words = iter(shlex.split(command)[1:])
    call = Call("", "")
    for word in words:
        if word in {"-X", "--request"}:
            call.method = next(words)
        elif word in {"-H", "--header"}:
            name, _, value = next(words).partition(":")
            call.headers[name] = value.strip()
        elif word in {"-d", "--data", "--json"}:
            call.body = next(words)
            if word == "--json":
                call.headers["Content-Type"] = "application/json"
        elif word in {"-I", "--head"}:
            call.method = "HEAD"
        elif not word.startswith("-"):
            call.url = word
        elif not re.fullmatch(r"-[sSifv]+|--(silent|include|fail|fail-with-body|compressed)", word):
            raise AssertionError(f"the documents' curl has no {word}")
    call.method = call.method or ("POST" if call.body is not None else "GET")
    return call


def http(block: Block) -> Iterator[tuple[Call, str]]:
    """The requests of an `http` block, each with the answer that is shown below it."""
    parts = re.split(r"(?m)^(?=(?:[A-Z]+ /|HTTP/))", block.code)
    requests: list[tuple[Call, str]] = []
    for part in filter(str.strip, parts):
        head, _, body = part.strip().partition("\n\n")
        first, *rest = head.splitlines()
        if first.startswith("HTTP/"):
            requests.append((requests.pop()[0], part))
        else:
            headers = dict(line.split(": ", 1) for line in rest)
            requests.append((Call(*first.split()[:2], headers, body or None), ""))
    yield from requests


def shown_status(output: str) -> int | None:
    found = re.search(r"HTTP/[\d.]+ (\d{3})", output)
    return int(found[1]) if found else None


def shown_members(output: str) -> set[str]:
    """The top-level members of the JSON object in an output that is shown, if there is one."""
    start = output.find("{")
    try:
        shown = json.loads(output[start:]) if start >= 0 else None
    except ValueError:
        return set()  # abbreviated with an ellipsis
    return set(shown) if isinstance(shown, dict) else set()
