from collections.abc import Sequence
from uuid import UUID

import pytest
from benchmarks.lab.wrk import Request
from benchmarks.scale.__main__ import arguments
from benchmarks.scale.asides import Deletion, Search
from benchmarks.scale.measuring import Cell, depth_ratios, size_ratios
from benchmarks.scale.places import Case, Posts
from benchmarks.scale.reporting import Results, as_json, tables, verdict
from benchmarks.service.measuring import Figures

ROWS = [[f"2026-01-01 00:00:{60 - n:02}.5+00", str(UUID(int=n))] for n in range(1, 46)]


class Table:
    """Has the rows that PostgreSQL would give."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def sql(self, statement: str) -> list[list[str]]:
        self.asked.append(statement)
        offset, count = (int(statement.split()[place]) for place in (-3, -1))
        return ROWS[offset : offset + count]


def cell(posts: int, depth: int, *cpu: float) -> Cell:
    found = [Figures(one, one / 2, 1000.0, 1.0, 2.0, 3.0, requests=9, errors=0) for one in cpu]
    return Cell(posts, Case("page", depth, [Request("GET", "/")]), found)


def cells() -> Sequence[Cell]:
    return [
        cell(1000, 1, 100.0, 200.0, 400.0),
        cell(5000, 1, 110.0, 220.0, 440.0),
        cell(5000, 900, 220.0, 264.0, 484.0),
    ]


def test_a_place_is_compared_with_the_first_page_of_the_same_round() -> None:
    assert depth_ratios(cells(), 1) == {(5000, "page, depth 900"): pytest.approx(1.2)}


def test_a_size_is_compared_with_the_smaller_one_at_the_same_place() -> None:
    assert size_ratios(cells()) == {"page, depth 1": pytest.approx(1.1)}


def test_one_size_alone_has_nothing_to_be_compared_with() -> None:
    assert size_ratios([cell(1000, 1, 100.0)]) == {}
    assert depth_ratios([cell(1000, 1, 100.0)], 1) == {}


def test_the_highest_ratio_is_what_the_goal_is_held_against() -> None:
    assert "1.20 (goal 1.2: met)" in verdict([cell(9, 1, 100.0), cell(9, 5, 119.9)])
    assert "1.30 (goal 1.2: missed)" in verdict([cell(9, 1, 100.0), cell(9, 5, 130.0)])


def test_deep_pages_are_also_compared_with_the_second_which_has_a_cursor_too() -> None:
    found = [cell(9, 1, 100.0), cell(9, 21, 130.0), cell(9, 900, 130.0)]

    assert depth_ratios(found, 21) == {(9, "page, depth 900"): pytest.approx(1.0)}
    assert "beside the second one" in verdict(found)


def test_the_first_page_has_no_cursor_and_others_have_that_of_the_row_before() -> None:
    table, listed = Table(), Posts("all", "/posts", "true")

    first, deep = listed.at(table, 1), listed.at(table, 3)  # type: ignore[arg-type] # see Table

    assert [request.path for request in first.requests] == ["/posts?limit=20"]
    assert first.first == ROWS[0][1]
    assert deep.first == ROWS[2][1]
    assert "OFFSET 1 " in table.asked[1]
    assert len(deep.requests) == len({request.path for request in deep.requests}) == 2


def test_each_filter_has_cursors_of_its_own() -> None:
    table = Table()
    plain = Posts("all", "/posts", "true").at(table, 2)  # type: ignore[arg-type] # see Table
    other = Posts("all", "/posts", "true", {"q": "x"}).at(table, 2)  # type: ignore[arg-type] # see Table

    assert other.requests[0].path.startswith("/posts?q=x&limit=20&cursor=")
    assert plain.requests[0].path.split("=")[-1] != other.requests[0].path.split("=")[-1]


def test_tables_show_only_what_was_asked_for() -> None:
    assert tables(Results()) == ""
    results = Results(
        cells=list(cells()),
        searches={5000: [Search("badger", 50, 200, 0.004, 0.002)]},
        deletion=Deletion(250, 204, 0.5, 251, 5.0, 0.25),
    )
    shown = tables(results)

    assert "| page, depth 900 | 5 000 | 264 | 132 | 1 | 2 | 1.20 |  |  | 0 |" in shown
    assert "| badger | 5 000 | 50 | 200 | 4 | 2 |" in shown
    assert "| 250 | 204 | 0.5 | 251 | 0.25 | 5 |" in shown
    assert "connections" not in shown


def test_the_results_for_programs_have_every_round() -> None:
    told = as_json(Results(cells=list(cells())), {"revision": "abc"})

    assert told["revision"] == "abc"
    assert [len(one["rounds"]) for one in told["cost"]] == [3, 3, 3]
    assert told["cost"][0]["total_cpu"] == pytest.approx(300)


@pytest.mark.parametrize("given", [["--only", "growth,speed"], ["--posts", "20000"]])
def test_a_part_that_is_not_there_and_a_size_too_small_are_refused(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        arguments(given)

    assert given[0] in capsys.readouterr().err


def test_all_parts_are_measured_unless_some_are_named() -> None:
    assert arguments([]).parts == ["growth", "connections", "search", "delete"]
    assert arguments(["--only", "search,delete"]).parts == ["search", "delete"]
