import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingpost.project import Project, ProjectError
from kingpost.settings import ServiceSettings, SettingsError

TABLE = """
[tool.kingpost]
app = "little.main:create_app"
settings = "little.main:Settings"
metadata = "little.main:Base.metadata"
migrations = "migrations"
"""

MAIN = """
from sqlalchemy.orm import DeclarativeBase
from kingpost.settings import ServiceSettings

class Base(DeclarativeBase):
    pass

class Settings(ServiceSettings):
    pass

def create_app(settings):
    return ("the app", settings)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "pyproject.toml").write_text(TABLE)
    (tmp_path / "src" / "little").mkdir(parents=True)
    (tmp_path / "src" / "little" / "main.py").write_text(MAIN)
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] == "little"]:
        del sys.modules[name]


def test_a_project_is_found_from_any_folder_below(folder: Path) -> None:
    project = Project.find(folder / "src" / "little")

    assert project.root == folder
    assert project.migrations == folder / "migrations"
    assert project.env_prefix == "APP_"
    assert project.development_database == "little"


def test_its_parts_are_imported_when_asked_for(folder: Path) -> None:
    project = Project.find(folder)
    settings = ServiceSettings()

    assert "little.main" not in sys.modules
    assert project.settings_model.__name__ == "Settings"
    assert project.create_app(settings) == ("the app", settings)
    assert project.metadata.tables == {}


def test_a_pyproject_without_the_table_is_passed_by(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[tool.other]\n")

    assert Project.find(inner).root == folder


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[tool.other]\n", r"no pyproject\.toml with a table \[tool\.kingpost\]"),
        ("[tool.kingpost]\napp = 'a:b'\n", r"lacks settings, metadata, migrations"),
        ("[tool.kingpost\n", r"pyproject\.toml: "),
    ],
)
def test_what_is_wrong_with_the_table_is_one_line(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(content)

    with pytest.raises(ProjectError, match=message) as caught:
        Project.find(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", ["nowhere.main:create_app", "little.main:nothing"])
def test_a_target_that_is_not_there_names_itself(folder: Path, target: str) -> None:
    table = TABLE.replace("little.main:create_app", target)
    (folder / "pyproject.toml").write_text(table)

    with pytest.raises(ProjectError, match=target):
        Project.find(folder).create_app(ServiceSettings())


def test_settings_come_from_the_environment_and_the_env_file(folder: Path) -> None:
    (folder / ".env").write_text("APP_PORT=1\nAPP_HOST=${HOME}\n")

    loaded = Project.find(folder).load_settings({"APP_PORT": "2", "HOME": "/root"})

    assert loaded.values.port == 2
    assert loaded.values.host == "${HOME}"


def test_a_database_url_that_is_given_is_used_as_it_is(folder: Path) -> None:
    project = Project.find(folder)
    url = "postgresql+psycopg://me@db/x"
    settings = project.load_settings({"APP_DATABASE_URL": url}).values

    with project.database_url(settings) as found:
        assert found == url
    assert not project.development_folder.exists()


def test_a_synchronous_database_url_is_refused_with_the_right_spelling(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"APP_DATABASE_URL: .*postgresql\+asyncpg://"):
        Project.find(folder).load_settings({"APP_DATABASE_URL": "postgresql://me@db/x"})


def test_production_without_a_database_url_starts_nothing(folder: Path) -> None:
    project = Project.find(folder)
    environ = {"APP_ENVIRONMENT": "production", "APP_SECRET": "s" * 40}

    with (
        pytest.raises(ProjectError, match="APP_DATABASE_URL is required in production"),
        project.database_url(project.load_settings(environ).values),
    ):
        pass
    assert not project.development_folder.exists()


@pytest.mark.parametrize(
    "wrong", ["APP_PORT", "APP_PORT: 1", "APP_SECRET='never closed", "export APP_PORT", "1+1"]
)
def test_a_line_of_the_env_file_that_says_nothing_is_refused(folder: Path, wrong: str) -> None:
    (folder / ".env").write_text(f"# mine\nAPP_HOST=::1\n\n{wrong}\nAPP_AUTH=off\n")

    with pytest.raises(SettingsError) as caught:
        Project.find(folder).load_settings({})

    assert caught.value.lines == [".env line 4: not NAME=value"]


def test_an_env_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / ".env").write_bytes(b"APP_HOST=\xff\n")

    with pytest.raises(SettingsError, match=r"\.env: not UTF-8 text"):
        Project.find(folder).load_settings({})


def test_the_env_file_may_have_comments_exports_quotes_and_empty_values(folder: Path) -> None:
    (folder / ".env").write_text('export APP_HOST="::1" # mine\n\nAPP_PORT = 9\nOTHER=\n')

    values = Project.find(folder).load_settings({}).values

    assert (values.host, values.port) == ("::1", 9)
