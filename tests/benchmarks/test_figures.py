import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from benchmarks.lab.bars import Row, chart
from benchmarks.lab.progress import Progress
from benchmarks.lab.tables import MarkersMissing, number, put_between, table

SVG = "{http://www.w3.org/2000/svg}"


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(["name", "µs"], [["a", "1"]]).splitlines() == [
        "| name | µs |",
        "| --- | ---: |",
        "| a | 1 |",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.1234, "0.123"), (12.345, "12.3"), (123.4, "123"), (4735.0, "4 740"), (0, "0")],
)
def test_a_number_has_three_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x:start -->\nold\n<!-- x:end -->\nafter\n")

    put_between(page, "x", "new")

    assert page.read_text() == "before\n<!-- x:start -->\nnew\n<!-- x:end -->\nafter\n"


def test_a_page_without_markers_is_refused_and_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- x:start -->\nold\n")

    with pytest.raises(MarkersMissing, match=r"page\.md"):
        put_between(page, "x", "new")
    assert page.read_text() == "<!-- x:start -->\nold\n"


def elements(drawn: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(drawn).iter(f"{SVG}{name}"))  # noqa: S314 - drawn by ourselves


def test_bars_are_as_long_as_their_figures() -> None:
    drawn = chart("t", "n", ["one"], [Row("a", {"one": 50.0}, ours=True), Row("b", {"one": 100.0})])
    bars = [r for r in elements(drawn, "rect") if "bar" in r.attrib["class"]]
    lengths = [float(bar.attrib["width"]) for bar in bars]

    assert lengths[0] * 2 == pytest.approx(lengths[1])
    assert [bar.attrib["class"] for bar in bars] == ["bar ours", "bar"]


def test_a_name_with_special_characters_and_a_missing_figure_can_be_drawn() -> None:
    drawn = chart("a < b", "n", ["one & two"], [Row("<x>", {})])

    assert "<x>" in [text.text for text in elements(drawn, "text")]


def test_the_time_left_follows_the_steps_that_are_done() -> None:
    progress = Progress(10, 5.0, io.StringIO())
    assert progress.seconds_left(0) == 50

    progress.next("first")
    progress.next("second")

    assert progress.seconds_left(4.0) == 16.0
