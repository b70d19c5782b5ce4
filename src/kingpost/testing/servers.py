"""Starts the service for tests, on a database of its own or beside another process of it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from kingpost.embedded import EmbeddedPostgres
from kingpost.project import Project
from kingpost.testing.databases import Databases
from kingpost.testing.process import ServerProcess, launch
from kingpost.testing.service import key_for


@dataclass(frozen=True, slots=True)
class Servers:
    """Everything that a server of the tests is started with.

    Args:
        project: what is served.
        postgres: the tests' server.
        databases: makes copies of a database there.
        template: the migrated database without rows.
        environ: the service's settings.
        driver: which one they use.
        folders: where their logs are.
    """

    project: Project
    postgres: EmbeddedPostgres
    databases: Databases
    template: str
    environ: Mapping[str, str]
    driver: Any
    folders: pytest.TempPathFactory

    @contextmanager
    def running(
        self, *, beside: ServerProcess | None = None, **changes: object
    ) -> Iterator[ServerProcess]:
        """A server that is ready, and ends with exit code 0 after the block.

        Args:
            beside: shares its database, its key and its settings; None for a database of its own.
            **changes: other settings, as environment variables; None takes one away.

        Raises:
            ServerFailed: it was not ready in time, or ended with another exit code.
        """
        environ = self._environ(beside, changes)
        with ExitStack() as stack:
            if beside is None:
                name = stack.enter_context(self.databases.copy(self.template))
                url = self.postgres.url(name, self.driver)
                key = key_for(self.project, environ, url)
            else:
                url, key = beside.database_url, beside.key
            process = launch(
                self.project.root,
                environ=environ,
                prefix=self.project.env_prefix,
                database_url=url,
                log=self.folders.mktemp("server") / "log",
                key=key,
            )
            stack.callback(process.close)
            yield process.wait_until_ready()

    def _environ(
        self, beside: ServerProcess | None, changes: Mapping[str, object]
    ) -> dict[str, str]:
        own_port = {f"{self.project.env_prefix}PORT": None}
        settings = self.environ if beside is None else {**beside.environ, **own_port}
        changed = {**settings, **changes}
        return {name: str(value) for name, value in changed.items() if value is not None}
