"""Markdown tables, and documents that hold one between markers."""

from collections.abc import Sequence
from pathlib import Path


class MarkersMissing(ValueError):
    """The document has no place for the table."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, the others to the right."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def number(value: float) -> str:
    """A figure with three digits that count, and thin gaps between thousands."""
    if value >= 1000:
        value = float(f"{value:.3g}")
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return text.replace(",", " ")


def put_between(document: Path, name: str, text: str) -> None:
    """Replaces what stands between `<!-- name:start -->` and `<!-- name:end -->`.

    Args:
        document: the file to change.
        name: of the markers.
        text: the new content.

    Raises:
        MarkersMissing: the document has no such markers.
    """
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    before, found_start, rest = document.read_text().partition(start)
    _, found_end, after = rest.partition(end)
    if not (found_start and found_end):
        raise MarkersMissing(f"{document} needs the lines {start} and {end}")
    document.write_text(f"{before}{start}\n{text}\n{end}{after}")
