"""The README shows code that is really there."""

from tests.architecture.documents import blocks
from tests.architecture.source import ROOT


def test_the_use_case_is_an_excerpt_of_its_file() -> None:
    (shown,) = (b.code for b in blocks(ROOT / "README.md") if b.language == "python")

    assert shown in (ROOT / "src/app/services/users.py").read_text()


def test_the_map_has_every_folder_of_the_library() -> None:
    folders = {p.parent.name for p in (ROOT / "src/kingpost").glob("*/__init__.py")}
    page = (ROOT / "README.md").read_text()

    assert not [name for name in folders if f"      {name}/" not in page]
