"""Bar charts as SVG: panels side by side with one row per contender, no library needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import dedent

from benchmarks.lab.tables import number

_ROW, _BAR, _TOP, _BOTTOM, _MARGIN = 30, 16, 92, 44, 24
_LABELS, _PANEL, _GAP, _VALUE = 262, 200, 30, 52

_STYLE = dedent("""\
    text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
    .title { font-size: 18px; font-weight: 600 }
    .panel { font-weight: 600 }
    .note, .value { fill: #59636e; font-size: 12px }
    .ours { font-weight: 600; fill: #1f2328 }
    .back { fill: #ffffff } .rule { stroke: #d1d9e0 }
    rect.bar { fill: #b4bec9 } rect.bar.ours { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      text, .ours { fill: #f0f6fc } .note, .value { fill: #9198a1 } .value.ours { fill: #f0f6fc }
      .back { fill: #0d1117 } .rule { stroke: #3d444d }
      rect.bar { fill: #565f69 } rect.bar.ours { fill: #4493f8 }
    }""")


@dataclass(frozen=True, slots=True)
class Row:
    """A contender.

    Attributes:
        label: its name.
        values: one figure per panel, by the panel's name; missing ones stay empty.
        ours: drawn in colour.
    """

    label: str
    values: Mapping[str, float]
    ours: bool = False


def chart(title: str, note: str, panels: Sequence[str], rows: Sequence[Row]) -> str:
    """Draws bars from zero on, shorter is better, each panel on its own scale.

    Args:
        title: what is shown, with its unit.
        note: a line below: how it was measured.
        panels: the names of the panels, from left to right.
        rows: from top to bottom.

    Returns:
        The SVG document; it follows the reader's light or dark colours.
    """
    width = 2 * _MARGIN + _LABELS + len(panels) * (_PANEL + _GAP) - _GAP
    height = _TOP + len(rows) * _ROW + _BOTTOM
    parts = [
        _opening(width, height),
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{width}" height="{height}" rx="8"/>',
        _text(_MARGIN, 38, title, "title"),
        *_labels(rows),
    ]
    for place, name in enumerate(panels):
        left = _MARGIN + _LABELS + place * (_PANEL + _GAP)
        parts += _panel(left, name, rows)
    parts += [_text(_MARGIN, height - 18, note, "note"), "</svg>"]
    return "\n".join(parts) + "\n"


def _opening(width: int, height: int) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'


def _labels(rows: Sequence[Row]) -> list[str]:
    return [
        _text(_MARGIN, _baseline(index), row.label, "ours" if row.ours else "label")
        for index, row in enumerate(rows)
    ]


def _panel(left: int, name: str, rows: Sequence[Row]) -> list[str]:
    longest = max((row.values.get(name, 0.0) for row in rows), default=0.0)
    scale = (_PANEL - _VALUE) / longest if longest else 0.0
    bottom = _TOP + len(rows) * _ROW - 8
    parts = [
        _text(left, _TOP - 20, name, "panel"),
        f'<line class="rule" x1="{left}" x2="{left}" y1="{_TOP - 8}" y2="{bottom}"/>',
    ]
    for index, row in enumerate(rows):
        if name in row.values:
            parts += _bar(left, index, row.values[name], scale, " ours" if row.ours else "")
    return parts


def _bar(left: int, index: int, value: float, scale: float, mark: str) -> list[str]:
    length = max(2.0, value * scale)
    place = f'x="{left}" y="{_baseline(index) - 13}" width="{length:.1f}" height="{_BAR}"'
    return [
        f'<rect class="bar{mark}" {place} rx="2"/>',
        _text(left + length + 6, _baseline(index), number(value), f"value{mark}"),
    ]


def _baseline(index: int) -> int:
    return _TOP + index * _ROW + 17


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{escape(text)}</text>'
