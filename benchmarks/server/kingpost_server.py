"""Serves the application as Kingpost serves a service: `kingpost_server PORT`."""

import sys

from benchmarks.server.application import asgi

from kingpost.server import serve
from kingpost.settings import ServiceSettings

if __name__ == "__main__":
    serve(asgi, settings=ServiceSettings(port=int(sys.argv[1]), log_level="warning"))
