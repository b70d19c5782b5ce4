"""A service around an app, for tests of what is done when it is installed."""

from typing import Any

from fastapi import FastAPI

from kingpost.database import Database
from kingpost.http import Runtime, install
from kingpost.pagination import Cursors
from kingpost.security import NoAuthentication
from kingpost.server import State


def installed(app: FastAPI, database: Database, **more: Any) -> FastAPI:
    """The app with a runtime of this database; `more` is what else the runtime has."""
    runtime = Runtime(
        database=database,
        authenticator=NoAuthentication(),
        cursors=Cursors(b"x" * 32),
        max_body_bytes=1024,
        state=State(),
        **more,
    )
    install(app, runtime, request_timeout=5, docs=False, operations=True, development=True)
    return app
