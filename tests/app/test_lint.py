"""The service's own revisions stop nobody, as far as their SQL shows."""

from pathlib import Path

import pytest

from kingpost.cli.main import main

ROOT = Path(__file__).parents[2]


def test_no_revision_of_the_service_has_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)

    assert main(["db", "lint", "--all"]) == 0, capsys.readouterr().out
