import re
from pathlib import Path

import pytest
from benchmarks.migrations.performance import WARM_UP, Performance, Phase, Plan
from benchmarks.migrations.reader import Reader
from benchmarks.migrations.reporting import as_json, by_phase, counted, details, failures, summary
from benchmarks.migrations.runner import Line, Run
from benchmarks.migrations.timeline import plot
from benchmarks.migrations.traffic import READ_USER, Request
from benchmarks.migrations.versions import (
    ALEMBIC,
    EDITS,
    KINGPOST,
    LAST,
    VersionFailed,
    Way,
    write_versions,
)
from benchmarks.migrations.waits import Waits


def request(at: float, seconds: float = 0.003, status: int = 200, failure: str = "") -> Request:
    return Request(READ_USER, at, seconds, status, failure)


def performance(*requests: Request, way: Way = KINGPOST) -> Performance:
    lines = [Line(3.1, "Running upgrade a -> v2a, Widen"), Line(3.6, "Running upgrade v2a -> v2b")]
    return Performance(
        way,
        requests=list(requests),
        phases=[Phase(WARM_UP, 0, 2), Phase("before", 2, 3), Phase("migrate 1", 3, 5)],
        runs={1: [Run(3, 4, 0, lines), Run(3, 5, 1, [Line(4, "sqlalchemy.exc.Error: late | no")])]},
        readers=[Reader(3, 3.2, 4)],
        waits=Waits(0.45),
        failures={"503: busy": 1},
    )


@pytest.mark.parametrize("way", [KINGPOST, ALEMBIC], ids=lambda way: way.name)
def test_every_version_can_be_made_of_the_service_as_it_is(tmp_path: Path, way: Way) -> None:
    versions = write_versions(tmp_path, way)

    revisions = [len(list((one / "src/app/migrations/versions").glob("*.py"))) for one in versions]
    models = [(one / "src/app/db/models/users.py").read_text() for one in versions]
    assert len(versions) == LAST
    assert revisions == sorted(set(revisions))
    assert ["is_active" in text for text in models] == [True, True, False, False]
    assert ["String(300)" in text for text in models] == [False, True, True, True]


def test_a_service_that_has_changed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EDITS, 2, [("db/models/users.py", "class Nobody", "")])

    with pytest.raises(VersionFailed, match=r"users\.py needs 'class Nobody' exactly once"):
        write_versions(tmp_path, KINGPOST)


def test_what_failed_and_what_was_slow_is_in_the_tables() -> None:
    one = performance(request(1, 9.0), request(2.5), request(3.5, 0.7, 503, "503: busy"))

    assert len(counted(one)) == 2
    [line] = summary([one], Plan()).splitlines()[2:]
    assert line.startswith(
        "| **kingpost db upgrade** | 2 | 1 | 700 | 700 | 700 | 1 | 450 | 0 | 2 |"
    )
    assert line.endswith("| failed 1 of 1 times |")
    assert "| migrate 1 | 2 | 1 | 1 | 700 | 700 | 700 |" in by_phase(one)
    assert "late \\| no | 1 |" in failures(one)
    assert "| 503: busy | 1 |" in details([one])
    assert as_json([one], {"date": "d"})["ways"]["kingpost"]["all"]["failed"] == 1


def test_a_runner_tells_how_long_each_revision_took() -> None:
    [alembic, nothing] = performance().runs[1]
    ours = Run(
        1, 9, 0, [Line(2, "blocked by 1  for 0.2 s"), Line(5, "v2b  Add posts.slug.  1.50 s")]
    )

    assert alembic.steps == [("v2a", 3.1, 3.6), ("v2b", 3.6, 4)]
    assert ours.steps == [("v2b", 3.5, 5)]
    assert nothing.steps == []


def test_the_plot_has_a_dot_for_each_request_that_counts() -> None:
    one = performance(request(1), request(2.2), request(2.9), request(3.5, 2.0, 503))
    drawn = plot([one, performance(request(2.5), way=ALEMBIC)], limit=0.6, note="note")

    dots = [path.count("h0") for path in re.findall(r'd="([^"]*)"', drawn)]
    assert dots == [2, 1, 1, 0]
    assert "3 requests; 1 failed; slowest 2.00 s" in drawn
    assert ALEMBIC.title in drawn
