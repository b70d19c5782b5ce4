"""The 57 hazards of schema changes, and what the rehearsal says of each."""

import pytest
from tests.kingpost.migrations.hazards.case import Case
from tests.kingpost.migrations.hazards.cases.all import HAZARDS
from tests.kingpost.migrations.hazards.servers import Servers
from tests.kingpost.migrations.hazards.telling import check

from kingpost.migrations.rehearsal.verdicts import Verdict

NUMBERS = range(1, 58)
FIRSTS = [next(case for case in HAZARDS if case.number == number) for number in NUMBERS]
ELSEWHERE = list(dict.fromkeys([*FIRSTS, *(case for case in HAZARDS if case.since > 16)]))
WORK = [case for case in FIRSTS if case.verdict is Verdict.UNSAFE_LOCK and not case.data]


@pytest.mark.parametrize("case", HAZARDS, ids=str)
def test_a_hazard_has_the_verdict_that_was_measured(servers: Servers, case: Case) -> None:
    check(servers, case, 18)


@pytest.mark.parametrize("case", ELSEWHERE, ids=str)
def test_a_hazard_of_each_kind_has_its_verdict_on_16(servers: Servers, case: Case) -> None:
    check(servers, case, 16)


@pytest.mark.parametrize("case", ELSEWHERE[::8], ids=str)
def test_hazards_have_their_verdict_on_15_where_it_is_installed(
    servers: Servers, case: Case
) -> None:
    check(servers, case, 15)


@pytest.mark.parametrize("case", WORK[::8], ids=str)
def test_a_hazard_is_one_with_many_rows_as_with_few(servers: Servers, case: Case) -> None:
    check(servers, case, 18, rows=20_000)


def test_no_hazard_is_left_out() -> None:
    assert {case.number for case in HAZARDS if case.number} == set(NUMBERS)
