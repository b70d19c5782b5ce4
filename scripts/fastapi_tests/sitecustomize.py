"""Python runs this at the start of every process that finds it."""

import os
import sys

# Some tests start processes of their own; pytest and its workers take the plugin by its name.
if os.environ.get("ROUTE", "own") != "own" and "tests.test_telemetry._subprocess" in sys.orig_argv:
    import route_plugin  # noqa: F401 - which replaces what it is about when it is imported
