import subprocess
import sys
from collections.abc import Callable
from inspect import cleandoc
from pathlib import Path

import pytest

from kingpost.embedded import EmbeddedPostgres

SHOP = {
    "pyproject.toml": """
        [tool.kingpost]
        app = "shop.main:create_app"
        settings = "shop.main:Settings"
        metadata = "shop.models:Base.metadata"
        migrations = "src/shop/migrations"
        env_prefix = "SHOP_"

        [tool.pytest.ini_options]
        asyncio_mode = "auto"
        asyncio_default_fixture_loop_scope = "function"
        filterwarnings = ["error"]
        pythonpath = ["src"]
    """,
    "src/shop/__init__.py": "",
    "src/shop/models.py": """
        from kingpost.database import NAMING_CONVENTION
        from sqlalchemy import ForeignKey, MetaData
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        class Base(DeclarativeBase):
            metadata = MetaData(naming_convention=NAMING_CONVENTION)

        class Author(Base):
            __tablename__ = "author"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]

        class Book(Base):
            __tablename__ = "book"
            id: Mapped[int] = mapped_column(primary_key=True)
            author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    """,
    "src/shop/main.py": """
        from contextlib import asynccontextmanager
        from types import SimpleNamespace

        from fastapi import FastAPI
        from kingpost.database import Database, DatabaseOptions
        from kingpost.settings import ServiceSettings
        from sqlalchemy import func, select

        from shop.models import Author, Base, Book

        class Settings(ServiceSettings):
            greeting: str = "hello"

        def create_app(settings):
            options = DatabaseOptions(url=settings.database_url.get_secret_value())
            database = Database(options, metadata=Base.metadata)

            @asynccontextmanager
            async def lifespan(app):
                app.state.started = True
                yield
                await database.close()

            app = FastAPI(lifespan=lifespan)
            app.state.kingpost = SimpleNamespace(database=database, keys=Keys())

            @app.get("/readyz")
            async def ready(): ...

            @app.get("/hello")
            async def hello(): return settings.greeting

            @app.get("/authors")
            async def authors(nplus1: bool = False):
                return await database.read(lambda session: counted(session, nplus1))

            return app

        async def counted(session, nplus1):
            books = select(Author.id, func.count(Book.id)).outerjoin(Book).group_by(Author.id)
            if not nplus1:
                return {id: count for id, count in await session.execute(books)}
            ids = (await session.scalars(select(Author.id))).all()
            return {
                id: await session.scalar(select(func.count(Book.id)).where(Book.author_id == id))
                for id in ids
            }

        class Keys:
            def all_scopes(self):
                return ["books:read"]

            async def create(self, name, scopes):
                return SimpleNamespace(key="secret of " + name)
    """,
    "src/shop/migrations/env.py": """
        import os
        from kingpost.migrations import environment
        from shop.models import Base
        environment.run(Base.metadata, environ=os.environ)
    """,
    "src/shop/migrations/versions/one.py": """
        import sqlalchemy as sa
        from alembic import op
        revision, down_revision, branch_labels, depends_on = "one", None, None, None

        def upgrade():
            op.create_table("author", sa.Column("id", sa.Integer, primary_key=True),
                            sa.Column("name", sa.Text, nullable=False))
            op.create_table("book", sa.Column("id", sa.Integer, primary_key=True),
                            sa.Column("author_id", sa.Integer, sa.ForeignKey("author.id"),
                                      nullable=False))
            op.execute("create function refuse() returns trigger language plpgsql as "
                       "$$ begin raise 'append only'; end $$")
            op.execute("create trigger append_only before truncate on book "
                       "for each statement execute function refuse()")

        def downgrade():
            op.drop_table("book")
            op.drop_table("author")
            op.execute("drop function refuse")
    """,
}

RunTests = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of somebody else, with two tables, a migration and a service."""
    root = tmp_path_factory.mktemp("shop")
    for name, content in SHOP.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(cleandoc(content))
    return root


@pytest.fixture(scope="session")
def run_tests(postgres: EmbeddedPostgres) -> RunTests:
    """Runs tests of a project with pytest in a process of its own."""

    def run(root: Path, tests: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (root / "test_shop.py").write_text(cleandoc(tests))
        command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
        command += [f"--kingpost-folder={postgres.folder}", "test_shop.py", *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    return run
