import re

from tests.architecture.source import ROOT

LINK = re.compile(r"\]\(([^)#]+)")
PAGES = [
    file
    for pattern in ("*.md", "*/README.md")
    for file in (ROOT / "benchmarks").glob(pattern)
    if ".venv" not in file.parts
]


def test_links_of_the_benchmarks_lead_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in PAGES
        for link in LINK.findall(page.read_text())
        if not (page.parent / link).exists()
    ]

    assert PAGES
    assert not dead, "\n".join(dead)


def test_every_folder_of_benchmarks_is_in_the_table_of_contents() -> None:
    contents = (ROOT / "benchmarks/README.md").read_text()
    folders = {file.parent.name for file in (ROOT / "benchmarks").glob("[a-z]*/*.py")}

    missing = [name for name in sorted(folders) if f"]({name}/" not in contents]
    assert not missing, f"benchmarks/README.md needs a row for {', '.join(missing)}"
