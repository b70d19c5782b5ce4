"""The four versions of the service: the first is the service itself, the others change it."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory

from benchmarks.lab.machine import ROOT

REVISIONS = Path(__file__).with_name("revisions")
LAST = 4
_NO_CACHES = shutil.ignore_patterns("__pycache__")


class VersionFailed(RuntimeError):
    """The service has changed so much that a version cannot be made of it."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to change a schema.

    Attributes:
        name: of its folder in `revisions`.
        title: for people.
        command: brings the database to the newest revision of the folder it is started in.
        contract: more arguments, for the deploy that takes a column away.
        ours: drawn in colour.
    """

    name: str
    title: str
    command: Sequence[str]
    contract: Sequence[str] = ()
    ours: bool = False


KINGPOST = Way(
    "kingpost", "kingpost db upgrade", ["kingpost", "db", "upgrade"], ["--contract"], ours=True
)
ALEMBIC = Way("alembic", "plain Alembic", ["alembic", "upgrade", "head"])

# What a version changes: file, text to find exactly once, text to put there.
Edit = tuple[str, str, str]

_SLUG = "new.title.lower().replace(' ', '-')"
EDITS: Mapping[int, Sequence[Edit]] = {
    # A user's name may be longer; a post has a slug, written and not yet read.
    2: [
        ("db/models/users.py", "name: Mapped[str | None] = mapped_column(String(200))",
         "name: Mapped[str | None] = mapped_column(String(300))"),
        ("schemas/users.py", "Name = Annotated[Line, Field(max_length=200)]",
         "Name = Annotated[Line, Field(max_length=300)]"),
        ("db/models/posts.py", "    author_id: Mapped[UUID]",
         "    slug: Mapped[str | None] = mapped_column(String(200))\n    author_id: Mapped[UUID]"),
        ("db/models/posts.py", 'Index("ix_posts_created_at_id"',
         'Index("ix_posts_slug", Post.slug)\nIndex("ix_posts_created_at_id"'),
        ("services/posts.py", "Post(**new.model_dump())",
         f"Post(**new.model_dump(), slug={_SLUG})"),
        ("services/posts.py", "Post(title=new.title, content",
         f"Post(title=new.title, slug={_SLUG}, content"),
    ],
    # Every post has its slug, which is shown; nobody asks whether a user is active any more.
    3: [
        ("db/models/posts.py", "slug: Mapped[str | None]", "slug: Mapped[str]"),
        ("schemas/posts.py", "class PostSummary(Schema):\n    id: UUID\n",
         "class PostSummary(Schema):\n    id: UUID\n    slug: str\n"),
        ("db/models/users.py",
         "    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())\n", ""),
        ("db/models/users.py", ", true\n", "\n"),
        ("schemas/users.py", "    is_active: Boolean = True\n", ""),
        ("schemas/users.py", "    is_active: Boolean = absent()\n", ""),
        ("schemas/users.py", "    is_active: bool\n", ""),
        ("schemas/users.py", "    is_active: Flag | None = None\n", ""),
        ("schemas/users.py", "import Boolean, Email, Filter, Flag,", "import Email, Filter,"),
        ("repositories/users.py",
         '        "is_active": User.is_active == bindparam("is_active"),\n', ""),
    ],
    # The column goes; the code stays as it is.
    4: [],
}  # fmt: skip


def write_versions(folder: Path, way: Way) -> list[Path]:
    """Writes all versions of the service, each as a project of its own.

    Args:
        folder: an empty one.
        way: whose revisions they have.

    Returns:
        The folders of the versions, the first one first.

    Raises:
        VersionFailed: a text that a version changes is not where it was.
    """
    return [_write(folder / f"v{number}", number, way) for number in range(1, LAST + 1)]


def _write(root: Path, number: int, way: Way) -> Path:
    app = root / "src/app"
    shutil.copytree(ROOT / "src/app", app, ignore=_NO_CACHES)
    shutil.copy(ROOT / "pyproject.toml", root)
    for version in range(2, number + 1):
        for edit in EDITS[version]:
            _change(app, edit)
    _add_revisions(app / "migrations", number, way)
    return root


def _change(app: Path, edit: Edit) -> None:
    name, before, after = edit
    text = (app / name).read_text()
    if text.count(before) != 1:
        raise VersionFailed(f"src/app/{name} needs {before!r} exactly once: correct EDITS here")
    (app / name).write_text(text.replace(before, after))


def _add_revisions(migrations: Path, number: int, way: Way) -> None:
    head = ScriptDirectory(str(migrations)).get_current_head()
    folder = REVISIONS / way.name
    for file in sorted(folder.glob("v*.py")):
        if int(re.findall(r"\d+", file.name)[0]) <= number:
            text = file.read_text().replace("head of the service", str(head))
            (migrations / "versions" / file.name).write_text(text)
    if (folder / "env.py").exists():
        shutil.copy(folder / "env.py", migrations)
