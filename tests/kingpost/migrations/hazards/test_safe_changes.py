"""Changes that harm nobody, of which the rehearsal has to say so."""

import pytest
from tests.kingpost.migrations.hazards.case import Case
from tests.kingpost.migrations.hazards.cases.all import HAZARDS
from tests.kingpost.migrations.hazards.safe.all import SAFE_CHANGES, SUBJECTS
from tests.kingpost.migrations.hazards.servers import Servers
from tests.kingpost.migrations.hazards.telling import check

FEW = [case for subject in SUBJECTS for case in subject[::9]]
ELSEWHERE = list(dict.fromkeys([*FEW, *(case for case in SAFE_CHANGES if case.since > 16)]))


@pytest.mark.parametrize("case", SAFE_CHANGES, ids=str)
def test_a_safe_change_raises_no_alarm(servers: Servers, case: Case) -> None:
    check(servers, case, 18)


@pytest.mark.parametrize("case", ELSEWHERE, ids=str)
def test_a_safe_change_raises_no_alarm_on_16(servers: Servers, case: Case) -> None:
    check(servers, case, 16)


@pytest.mark.parametrize("case", ELSEWHERE[::7], ids=str)
def test_a_safe_change_raises_no_alarm_on_15_where_it_is_installed(
    servers: Servers, case: Case
) -> None:
    check(servers, case, 15)


@pytest.mark.parametrize("case", FEW[::8], ids=str)
def test_a_safe_change_is_safe_with_many_rows_too(servers: Servers, case: Case) -> None:
    check(servers, case, 18, rows=20_000)


def test_there_are_at_least_as_many_safe_changes_as_hazards() -> None:
    harmful = [case for case in HAZARDS if not case.verdict.passes]

    assert len(SAFE_CHANGES) >= len(harmful) >= 57
    assert all(case.verdict.passes for case in SAFE_CHANGES)


def test_every_case_has_a_name_of_its_own() -> None:
    for cases in (SAFE_CHANGES, HAZARDS):
        assert len({case.name for case in cases}) == len(cases)
