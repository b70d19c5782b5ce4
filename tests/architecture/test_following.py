"""A page that tells how to change the project is followed to the letter, and the result works."""

from pathlib import Path

import pytest
from tests.architecture.documents import DOCUMENTS, Block, blocks
from tests.architecture.following import Follower, patched

from kingpost.embedded import EmbeddedPostgres

FOLLOWED = [page for page in DOCUMENTS if any(block.file for block in blocks(page))]
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
 from app.db.models.posts import Post
+from app.db.models.tags import Tag
-__all__ = ["ApiKey", "AuditEntry", "Post", "User", "metadata"]
+__all__ = ["ApiKey", "AuditEntry", "Post", "Tag", "User", "metadata"]
```

```console
$ alembic revision --autogenerate -m "add tags"
$ alembic upgrade head
$ alembic check
```
"""


@pytest.fixture
def follower(tmp_path: Path, empty_database_url: str, postgres: EmbeddedPostgres) -> Follower:
    made = Follower(tmp_path, empty_database_url, postgres.folder)
    made.run("alembic upgrade head", "before the page")
    return made


@on_one_driver
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.name)
def test_the_page_can_be_followed(follower: Follower, page: Path) -> None:
    follower.follow(page)


@on_one_driver
def test_a_page_adds_a_table(follower: Follower, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    follower.follow(page)

    (revision,) = (tmp_path / "src/app/migrations/versions").glob("*add_tags.py")
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
