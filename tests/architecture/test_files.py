"""Where things are, and what files may not have in them."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.architecture.source import ROOT, SRC

APP = SRC / "app"
LAYERS = ("api/v1/routes", "services", "repositories", "db/models")
# A health check and the like has no table; what a row is made of has no route of its own.
INDEX_ADDRESS = re.compile(r"^\s*(--(extra-)?index-url|-i\s|--find-links)|https?://", re.MULTILINE)
SILENCED = re.compile(r"#\s*(?:type:\s*ignore|noqa|ruff:\s*noqa|pragma:\s*no cover)[^\n]*")
EXPLAINED = re.compile(
    r"#\s*(?:type:\s*ignore\[[a-z, -]+\]|(?:ruff:\s*)?noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*"
    r"|pragma:\s*no cover)\s*(?:-|#|\u2013|:)\s*\S.{7,}"
)
OF_A_MACHINE = re.compile(r"/(?:root|home|Users)/\w+|\w+\.(?:pypi|pythonhosted)\.org|\bpypi\.org")
INSTALLED = {".venv", "node_modules"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def nouns(folder: str) -> set[str]:
    return {file.stem for file in (APP / folder).glob("*.py") if not file.stem.startswith("_")}


def unexplained(text: str) -> list[str]:
    return [found for found in SILENCED.findall(text) if not EXPLAINED.match(found)]


def our_files(*patterns: str) -> Iterable[Path]:
    for folder in (SRC, ROOT / "tests", ROOT / "scripts", ROOT / "benchmarks"):
        for pattern in patterns:
            found = folder.rglob(pattern)
            yield from (file for file in found if not INSTALLED.intersection(file.parts))


def test_a_noun_has_the_same_file_name_in_every_layer() -> None:
    tables = nouns("db/models")
    stray = {
        f"src/app/{layer}/{noun}.py: there is no db/models/{noun}.py; use the noun of the table"
        for layer in ("api/v1/routes", "services", "repositories")
        for noun in nouns(layer) - tables
    }

    assert tables
    assert not stray, "\n".join(sorted(stray))


def test_a_noun_with_routes_has_all_the_layers() -> None:
    missing = [
        f"src/app/{layer}/{noun}.py is missing"
        for noun in nouns("api/v1/routes")
        for layer in (*LAYERS, "schemas")
        if noun not in nouns(layer)
    ]

    assert not missing, "\n".join(missing)


def test_core_has_two_files_and_no_third() -> None:
    found = {file.name for file in (APP / "core").glob("*.py")} - {"__init__.py"}

    assert found == {"config.py", "logging.py"}, "find the layer it belongs to: core says nothing"


def test_nothing_is_called_utils() -> None:
    vague = {"utils", "common", "misc", "base_service", "base_repository"}

    assert not [file for file in our_files("*.py") if file.stem in vague]


def test_what_is_silenced_has_its_code_and_its_reason() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {line}; write the code, a dash and the reason"
        for file in our_files("*.py")
        if file != Path(__file__)
        for line in unexplained(file.read_text())
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # noqa",
        "x = 1  # noqa: S101",
        "x = 1  # noqa: S101 -",
        "x = 1  # type: ignore",
        "x = 1  # type: ignore[arg-type]",
        "# ruff: noqa",
        "# ruff: noqa: E501",
    ],
)
def test_silence_without_a_reason_is_seen(line: str) -> None:
    assert unexplained(line)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1  # noqa: S101, S603 - our own program",
        "x = 1  # type: ignore[arg-type] # the stub is wrong here",
        "x = 1  # type: ignore[arg-type]  # the stub is wrong here",
        "# a comment about noise",
    ],
)
def test_silence_with_a_reason_is_fine(line: str) -> None:
    assert not unexplained(line)


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {word}; do it, or write it down where others look"
        for file in our_files("*.py", "*.sh", "*.toml")
        if file != Path(__file__)
        for word in UNFINISHED.findall(file.read_text())
    ]

    assert not found, "\n".join(found)


def test_nothing_depends_on_the_machine_it_was_written_on() -> None:
    documents = [ROOT / "Makefile", *ROOT.glob("*.toml"), *ROOT.glob("*.lock"), *ROOT.glob("*.md")]
    found = [
        f"{file.relative_to(ROOT)}: {place}"
        for file in (*documents, *(ROOT / "docs").rglob("*.md"), *our_files("*.py", "*.mako"))
        if file != Path(__file__)
        for place in OF_A_MACHINE.findall(file.read_text())
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["/home/ada/src", "/root/x", "see files.pythonhosted.org/x"])
def test_a_place_on_a_machine_is_seen(text: str) -> None:
    assert OF_A_MACHINE.search(text)


def test_the_lock_has_hashes_and_no_address_of_an_index() -> None:
    locks = [ROOT / "requirements.lock", ROOT / "benchmarks/requirements.lock"]

    for lock in locks:
        packages = [line for line in lock.read_text().splitlines() if "==" in line]
        assert packages
        assert not INDEX_ADDRESS.search(lock.read_text()), f"{lock} names an index"
        assert lock.read_text().count("--hash=sha256:") >= len(packages), f"{lock}: no hashes"


def test_the_locks_of_npm_have_hashes_and_no_address_of_a_registry() -> None:
    locks = sorted((ROOT / "benchmarks/service/peers").glob("*/package-lock.json"))
    packages = [json.loads(lock.read_text())["packages"] for lock in locks]

    assert packages
    for name, package in (item for found in packages for item in found.items() if item[0]):
        assert "resolved" not in package, f"{name} names a registry"
        assert package["integrity"].startswith("sha512-"), f"{name}: no hash"


@pytest.mark.parametrize("line", ["--index-url x", "-i x", "a @ https://example.org/a.whl"])
def test_an_address_in_a_lock_is_seen(line: str) -> None:
    assert INDEX_ADDRESS.search(line)
