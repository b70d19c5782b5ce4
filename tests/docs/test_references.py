"""What the documents point to is there: files, headings, tests."""

import re
from pathlib import Path

import pytest
from tests.architecture.documents import DOCUMENTS
from tests.architecture.source import ROOT

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED_TEST = re.compile(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`")
NAMED_FILE = re.compile(r"`((?:src|tests|docs|scripts)/[\w/.-]+)`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
of_each_page = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
MADE_BY_THE_READER = "comments"


def without_code(page: Path) -> str:
    return re.sub(r"(?ms)^```.*?^```", "", page.read_text())


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@of_each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(without_code(page)):
        if target.startswith("https://"):
            continue
        path, _, fragment = target.partition("#")
        file = page if not path else page.parent / path
        assert file.exists(), f"{page.name}: {target}"
        if fragment:
            anchors = [anchor(heading) for heading in HEADING.findall(file.read_text())]
            assert fragment in anchors, f"{page.name}: {target}"


@of_each_page
def test_named_tests_exist(page: Path) -> None:
    for file, name in NAMED_TEST.findall(without_code(page)):
        text = (ROOT / file).read_text()
        assert not name or re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), name


@of_each_page
def test_named_files_exist(page: Path) -> None:
    for name in NAMED_FILE.findall(without_code(page)):
        assert MADE_BY_THE_READER in name or (ROOT / name).exists(), f"{page.name}: {name}"


def test_the_index_lists_every_decision() -> None:
    folder = ROOT / "docs/decisions"
    listed = re.findall(
        r"^\| \[\d+\]\(([^)]+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE
    )
    titles = {
        file.name: file.read_text().splitlines()[0].partition(". ")[2]
        for file in folder.glob("0*.md")
    }

    assert dict(listed) == titles
    assert [name for name, _ in listed] == sorted(titles)


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs/decisions").glob("0*.md")), ids=lambda page: page.name
)
def test_a_decision_has_its_four_parts(page: Path) -> None:
    parts = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)

    assert parts == ["Context", "Decision", "Consequences", "Alternatives"]
