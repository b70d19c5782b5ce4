import json
from pathlib import Path

import pytest
from benchmarks.guard.__main__ import comparison, ratios, read, warnings, write
from benchmarks.lab.accounting import Memory
from benchmarks.lab.wrk import Load
from benchmarks.service.contenders import Kind, Peer
from benchmarks.service.measuring import REQUESTS, Cell, Figures, Plan
from benchmarks.service.reporting import Result, as_json, details, ordered, plot, summary


def figures(cpu: float, errors: int = 0) -> Figures:
    return Figures(cpu, 50.0, 1000.0, 1.0, 2.0, 3.0, requests=100, errors=errors)


def result(name: str, *cpu: float, kind: Kind = "python", errors: int = 0) -> Result:
    peer = Peer(name, name.title(), kind, Path(), ["x"])
    cell = Cell([figures(one, errors) for one in cpu])
    return Result(peer, {"x": "1"}, dict.fromkeys(REQUESTS, cell), Memory(2_000_000, 1_000_000))


def test_requests_on_their_way_at_the_end_count_half() -> None:
    load = Load(requests=84, seconds=2.0, errors=0, p50=1, p95=2, p99=3, longest=4)
    found = Figures.of(load, cpu=0.2, postgres_cpu=0.1, connections=32)

    assert found.cpu == pytest.approx(2000)
    assert found.postgres_cpu == pytest.approx(1000)
    assert found.per_second == 42


def test_of_rounds_the_median_is_shown_and_errors_add_up() -> None:
    found = Figures.median([figures(1), figures(9, errors=2), figures(2, errors=1)])

    assert (found.cpu, found.requests, found.errors) == (2, 300, 3)


def test_the_cheapest_comes_first_and_ours_stands_out() -> None:
    results = [result("dear", 300.0), result("ours", 100.0, kind="kingpost")]
    lines = summary(results).splitlines()

    assert [one.peer.name for one in ordered(results)] == ["ours", "dear"]
    assert lines[2] == "| **Ours** | 100 (1 000) | 100 (1 000) | 100 (1 000) |"


def test_errors_are_not_hidden() -> None:
    failing = result("bad", 10.0, errors=2)

    assert failing.errors == 6
    assert summary([failing]).count("10 (1 000, 2 errors)") == 3
    assert details([failing]).count("| 3 | 2 |") == 3


def test_json_and_plot_have_every_peer() -> None:
    results = [result("one", 1.0, 3.0), result("two", 2.0)]
    told = as_json(results, plan=Plan(), context={"date": "d"}, left_out={"three": "no node"})

    assert json.loads(json.dumps(told)) == told
    assert told["peers"]["one"]["requests"]["user"]["median"]["cpu"] == 2
    assert len(told["peers"]["one"]["requests"]["user"]["rounds"]) == 2
    assert told["left_out"] == {"three": "no node"}
    assert all(title in plot(results, "note") for title in ("One", "Two", *REQUESTS.values()))


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    found = ratios(result("ours", 10.0, 40.0, 90.0), result("bar", 10.0, 20.0, 30.0))

    assert found == dict.fromkeys(REQUESTS, 2.0)


def test_only_what_became_much_dearer_is_warned_about() -> None:
    committed = {"user": 1.0, "page": 1.0}
    found = warnings(committed, {"user": 1.5, "page": 1.51, "create": 9.0})

    assert len(found) == 1
    assert found[0].startswith("GET 20 posts + authors costs +51 % beside")


def test_the_comparison_shows_what_is_new() -> None:
    shown = comparison({"user": 2.0}, {"user": 1.0, "page": 1.0, "create": 1.0}).splitlines()

    assert shown[2:4] == [
        "| GET one user | 2.00 | 1.00 | -50 % |",
        "| GET 20 posts + authors | - | 1.00 | new |",
    ]


def test_written_ratios_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.lab.machine.ROOT", tmp_path)
    file = tmp_path / "ratios.json"
    assert read(file) == {}

    write({"user": 1.25}, file)

    assert read(file) == {"user": 1.25}
