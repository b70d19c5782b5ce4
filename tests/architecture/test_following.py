"""A page that tells how to change the project is followed to the letter, and the result works."""

from pathlib import Path

import pytest
from tests.architecture.documents import DOCUMENTS, Block
from tests.architecture.following import (
    WHOLE_PROJECT,
    Follower,
    changes_code,
    done_already,
    files_of,
    patched,
    starts_empty,
)

from kingpost.embedded import EmbeddedPostgres

FOLLOWED = [page for page in DOCUMENTS if files_of(page)]
BEGINNINGS = [page for page in FOLLOWED if starts_empty(page)]
CHANGES = [page for page in FOLLOWED if page not in BEGINNINGS]
on_one_driver = pytest.mark.parametrize("driver", ["asyncpg"], indirect=True)
PAGE = """
```python file=src/app/db/models/tags.py
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from kingpost.database import UuidKeyMixin


class Tag(UuidKeyMixin, Base):
    __tablename__ = "tags"

    word: Mapped[str] = mapped_column(String(50))
```

```diff file=src/app/db/models/__init__.py
 from app.db.models.ratelimit import RateLimit
+from app.db.models.tags import Tag
     "RateLimit",
+    "Tag",
     "User",
```

```console
$ alembic revision --autogenerate -m "add tags"
$ alembic upgrade head
$ alembic check
```
"""


@pytest.fixture
def newcomer(tmp_path: Path, empty_database_url: str, postgres: EmbeddedPostgres) -> Follower:
    folder = tmp_path / "new"
    folder.mkdir()
    return Follower(folder, empty_database_url, postgres.folder)


@pytest.fixture
def follower(newcomer: Follower) -> Follower:
    newcomer.copy_project()
    newcomer.run("alembic upgrade head", "before the page")
    return newcomer


@on_one_driver
@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("page", CHANGES, ids=lambda page: page.name)
def test_the_project_is_green_after_the_page(page: Path, request: pytest.FixtureRequest) -> None:
    if there := done_already(page):
        pytest.skip(f"{page.name} has been followed here: {there} exists")
    follower: Follower = request.getfixturevalue("follower")
    follower.follow(page)

    if changes_code(page):
        follower.run(WHOLE_PROJECT, f"after {page.name}")


@on_one_driver
@pytest.mark.parametrize("page", BEGINNINGS, ids=lambda page: page.name)
def test_a_project_can_be_started_by_the_page(newcomer: Follower, page: Path) -> None:
    newcomer.follow(page)


@on_one_driver
def test_a_page_adds_a_table(follower: Follower, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    follower.follow(page)

    (revision,) = (follower.folder / "src/app/migrations/versions").glob("*add_tags.py")
    assert 'op.create_table(\n        "tags"' in revision.read_text()


@on_one_driver
def test_a_step_that_fails_is_seen(follower: Follower, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ alembic upgrade no_such_revision\n```\n")

    with pytest.raises(AssertionError, match="no_such_revision"):
        follower.follow(page)


def test_a_diff_adds_and_removes_lines() -> None:
    block = Block(Path("page.md"), 1, "diff", "", " two\n+half\n-three\n")

    assert patched("one\ntwo\nthree\nfour\n", block) == "one\ntwo\nhalf\nfour\n"


def test_a_diff_that_does_not_fit_is_seen() -> None:
    block = Block(Path("page.md"), 1, "diff", "", " five\n+six\n")

    with pytest.raises(AssertionError, match="no line 'five'"):
        patched("one\n", block)


def test_a_diff_that_fits_at_two_places_is_refused() -> None:
    block = Block(Path("page.md"), 1, "diff", "", " one\n+two\n")

    with pytest.raises(AssertionError, match="begin with a line that occurs once, not with 'one'"):
        patched("one\nsix\none\n", block)


def test_a_page_that_has_been_followed_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python file=src/app/main.py\n```\n")
    assert done_already(page) == "src/app/main.py"

    page.write_text("```python file=src/app/schemas/tags.py\n```\n")
    assert done_already(page) is None
