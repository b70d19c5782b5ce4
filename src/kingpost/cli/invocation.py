"""What a command is given: its arguments, the environment, the project found from the folder."""

import argparse
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from kingpost.database.url import any_driver
from kingpost.project import Project
from kingpost.settings import LoadedSettings, ServiceSettings

Subcommands = Any  # argparse keeps the type of add_subparsers() private


class CommandError(Exception):
    """A command cannot do what it was asked for; the message is one line with the way out."""


class UsageError(CommandError):
    """The arguments lack something that only the service knows."""


@dataclass(frozen=True)
class Invocation:
    """One run of the command line.

    Args:
        arguments: as parsed.
        environ: the environment of the process.
        folder: the working directory.
    """

    arguments: argparse.Namespace
    environ: Mapping[str, str]
    folder: Path

    @cached_property
    def project(self) -> Project:
        """The project of the folder."""
        return Project.find(self.folder)

    @cached_property
    def loaded(self) -> LoadedSettings[ServiceSettings]:
        """The settings with their origins, as given."""
        return self.project.load_settings(self.environ)

    @cached_property
    def settings(self) -> ServiceSettings:
        """The settings; outside production a missing secret is made and kept in a file."""
        values = self.loaded.values
        if values.secret is not None:
            return values
        secret = SecretStr(development_secret(self.project.development_folder))
        return values.model_copy(update={"secret": secret})

    @contextmanager
    def settings_with_database(self) -> Iterator[ServiceSettings]:
        """The settings with the URL of a database that can be used inside the block."""
        with self.project.database_url(self.loaded.values) as url:
            yield self.settings.model_copy(update={"database_url": SecretStr(url)})

    def settings_without_database(self) -> ServiceSettings:
        """Settings that the service can be built from, to be looked at but not run."""
        nowhere = SecretStr(f"postgresql+{any_driver()}://nobody@localhost/none")
        unused = SecretStr("not used to sign anything, but long enough")
        return quiet(
            self.loaded.values.model_copy(update={"database_url": nowhere, "secret": unused})
        )


def quiet(settings: ServiceSettings) -> ServiceSettings:
    """Settings for a command whose output is read by people or programs, not by a log collector.

    Args:
        settings: of the service.

    Returns:
        The same with nothing but errors in the log.
    """
    return settings.model_copy(update={"log_level": "error"})


def development_secret(folder: Path) -> str:
    """Reads the secret of development, or makes it on the first run.

    Args:
        folder: the project's development folder.

    Returns:
        43 random characters.
    """
    file = folder / "secret"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32), encoding="ascii")
    return file.read_text(encoding="ascii")
