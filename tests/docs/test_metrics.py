"""docs/operations.md lists the metrics that a service has of its own, and no others."""

import re

from tests.architecture.source import ROOT

from kingpost.database.options import PoolStatus
from kingpost.observability import Metrics

PAGE = (ROOT / "docs/operations.md").read_text()
TABLE = PAGE.partition("## Metrics\n")[2].partition("\n## ")[0]
FIRST_COLUMN = re.findall(r"^\| (`.+?) \|", TABLE, re.MULTILINE)
PYTHONS = ("process_", "python_")
POOL = "database_direct_pool"  # the table says that it has the same as the other one


def test_every_metric_is_in_the_table_and_no_other() -> None:
    metrics = Metrics()
    metrics.watch_pool(lambda: PoolStatus(0, 0, 0))
    rendered = metrics.render().decode()
    shown = set(re.findall(r"^# TYPE (\S+)", rendered, re.MULTILINE))
    kept = {name for name in shown if not name.startswith(PYTHONS)}

    listed = {name for cell in FIRST_COLUMN for name in re.findall(r"`(\w+)`", cell)}
    assert listed - {POOL} == {name for name in kept if not name.endswith("_created")}
