"""The service of a folder, as the table [tool.kingpost] of its pyproject.toml describes it."""

import importlib
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kingpost.settings import LoadedSettings, ServiceSettings, SettingsError, load

if TYPE_CHECKING:
    from dotenv.parser import Binding
    from fastapi import FastAPI
    from sqlalchemy import MetaData

    from kingpost.embedded import EmbeddedPostgres


class ProjectError(Exception):
    """The folder has no usable [tool.kingpost]; the message is one line."""


@dataclass(frozen=True, slots=True)
class Project:
    """A service: where it is and what it is made of. Nothing is imported before it is asked for.

    Args:
        root: the folder of its pyproject.toml.
        targets: `module:attribute` of `app` (the factory), `settings` and `metadata`.
        migrations: the folder with env.py.
        env_prefix: what the names of its environment variables begin with, such as `APP_`.
    """

    root: Path
    targets: Mapping[str, str]
    migrations: Path
    env_prefix: str

    @classmethod
    def find(cls, start: Path) -> Self:
        """Finds the project that a folder belongs to, looking upwards.

        Args:
            start: the folder to begin with.

        Returns:
            The nearest project.

        Raises:
            ProjectError: there is none, or its table is incomplete.
        """
        start = start.resolve()
        for folder in (start, *start.parents):
            file = folder / "pyproject.toml"
            if file.is_file() and (table := _table(file)) is not None:
                return cls._from_table(folder, table)
        raise ProjectError(f"no pyproject.toml with a table [tool.kingpost] in {start} or above")

    @classmethod
    def _from_table(cls, root: Path, table: Mapping[str, str]) -> Self:
        wanted = ("app", "settings", "metadata", "migrations")
        missing = [name for name in wanted if name not in table]
        if missing:
            raise ProjectError(
                f"{root / 'pyproject.toml'}: [tool.kingpost] lacks {', '.join(missing)}"
            )
        return cls(
            root=root,
            targets={name: table[name] for name in wanted[:3]},
            migrations=root / table["migrations"],
            env_prefix=table.get("env_prefix", "APP_"),
        )

    @property
    def source(self) -> Path:
        """The folder that its modules are imported from."""
        return self.root / "src" if (self.root / "src").is_dir() else self.root

    @property
    def settings_model(self) -> type[ServiceSettings]:
        """The class of its settings."""
        model: type[ServiceSettings] = self._load("settings")
        return model

    @property
    def metadata(self) -> "MetaData":
        """The tables of its models."""
        metadata: MetaData = self._load("metadata")
        return metadata

    def create_app(self, settings: ServiceSettings) -> "FastAPI":
        """Builds the service.

        Args:
            settings: an instance of `settings_model`.

        Returns:
            The application.
        """
        app: FastAPI = self._load("app")(settings)
        return app

    def load_settings(self, environ: Mapping[str, str]) -> LoadedSettings[ServiceSettings]:
        """Reads its settings from an environment and the `.env` file of its folder.

        Args:
            environ: the environment of the process.

        Returns:
            The settings with the origin of each.

        Raises:
            SettingsError: with a line for each mistake.
        """
        loaded = load(
            self.settings_model, prefix=self.env_prefix, environ=environ, dotenv=self._dotenv()
        )
        if loaded.values.database_url is not None:
            self._check_url(loaded.values.database_url.get_secret_value())
        return loaded

    def _check_url(self, url: str) -> None:
        from kingpost.database.url import UrlError, check_url  # noqa: PLC0415 - slow to import

        try:
            check_url(url)
        except UrlError as error:
            raise SettingsError([f"{self.env_prefix}DATABASE_URL: {error}"]) from None

    def _dotenv(self) -> dict[str, str | None]:
        file = self.root / ".env"
        if not file.is_file():
            return {}
        from dotenv.parser import parse_stream  # noqa: PLC0415 - only for those with such a file

        try:
            bindings = list(parse_stream(StringIO(file.read_text(encoding="utf-8"))))
        except UnicodeDecodeError:
            raise SettingsError([".env: not UTF-8 text"]) from None
        wrong = [_line_of(item) for item in bindings if item.error or _lacks_value(item)]
        if wrong:
            raise SettingsError([f".env line {number}: not NAME=value" for number in wrong])
        return {item.key: item.value for item in bindings if item.key is not None}

    @property
    def development_folder(self) -> Path:
        """Where development keeps its database and secret; git ignores it."""
        return self.root / ".kingpost"

    @property
    def development_database(self) -> str:
        """The name of its database on the embedded server."""
        return self.targets["app"].partition(":")[0].partition(".")[0]

    def development_url(self, server: "EmbeddedPostgres") -> str:
        """The URL of its database on the embedded server, with a driver that is installed.

        Args:
            server: the embedded server, started.

        Raises:
            ProjectError: no driver is installed.
        """
        from kingpost.database.url import UrlError, any_driver  # noqa: PLC0415 - slow to import

        try:
            return server.url(self.development_database, any_driver())
        except UrlError as error:
            raise ProjectError(str(error)) from None

    def embedded_server(self) -> "EmbeddedPostgres":
        """The embedded development server, not started."""
        from kingpost.embedded import EmbeddedPostgres  # noqa: PLC0415 - not in production

        return EmbeddedPostgres(self.development_folder / "postgres")

    @contextmanager
    def embedded(self) -> "Iterator[EmbeddedPostgres]":
        """Runs the embedded development server, with its database there.

        Raises:
            EmbeddedError: it cannot start; the message is one line with the way out.
        """
        with self.embedded_server() as server:
            if self.development_database not in server.databases():
                server.create_database(self.development_database)
            yield server

    @contextmanager
    def database_url(self, settings: ServiceSettings) -> Iterator[str]:
        """The database of the settings, or else the one of the embedded server, running.

        Args:
            settings: the service's settings.

        Yields:
            A URL that works inside the block.

        Raises:
            ProjectError: production without a URL.
            EmbeddedError: the embedded server cannot start.
        """
        if settings.database_url is not None:
            yield settings.database_url.get_secret_value()
        elif settings.environment == "production":
            raise ProjectError(
                f"{self.env_prefix}DATABASE_URL is required in production: "
                "the embedded PostgreSQL is for development and tests"
            )
        else:
            with self.embedded() as server:
                yield self.development_url(server)

    def _load(self, name: str) -> Any:
        target = self.targets[name]
        if str(self.source) not in sys.path:
            sys.path.insert(0, str(self.source))
        module_name, _, path = target.partition(":")
        try:
            found: Any = importlib.import_module(module_name)
            for attribute in path.split("."):
                found = getattr(found, attribute)
        except (ModuleNotFoundError, AttributeError) as error:
            raise ProjectError(f"[tool.kingpost] {name} = {target!r}: {error}") from error
        return found


def _lacks_value(item: "Binding") -> bool:
    return item.key is not None and item.value is None


def _line_of(item: "Binding") -> int:
    text = item.original.string
    return item.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _table(file: Path) -> Mapping[str, str] | None:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(f"{file}: {error}") from error
    table: Mapping[str, str] | None = content.get("tool", {}).get("kingpost")
    return table
