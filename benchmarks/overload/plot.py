"""The plot: what is done in each second before, in and after a storm, as lines over the time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from textwrap import dedent

from benchmarks.overload.storms import NO_LIMIT, Storm

_LEFT, _TOP, _BOTTOM = 76, 76, 70
_WIDTH, _HEIGHT, _ACROSS, _DOWN, _COLUMNS = 420, 150, 56, 74, 2
_HIGHEST = 1.3  # of the peak

_STYLE = dedent("""\
    text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #59636e }
    .title { font-size: 18px; font-weight: 600; fill: #1f2328 }
    .panel { font-size: 13px; font-weight: 600; fill: #1f2328 }
    .back { fill: #ffffff } .grid { stroke: #d1d9e0 } .storm { fill: #bc4c00; opacity: .12 }
    path { fill: none; stroke-width: 2 } .ours { stroke: #0969da } .none { stroke: #cf222e }
    .peak { stroke: #59636e; stroke-dasharray: 5 4 }
    @media (prefers-color-scheme: dark) {
      text { fill: #9198a1 } .title, .panel { fill: #f0f6fc } .back { fill: #0d1117 }
      .grid { stroke: #3d444d } .ours { stroke: #4493f8 } .none { stroke: #f85149 }
      .storm { opacity: .25 }
    }""")
_LEGEND = "Requests done in a second. Blue: as it is; red: without a limit. Dashed: the peak."


def chart(storms: Sequence[Storm], peak: float, note: str) -> str:
    """Draws a panel for each strength of storm, with and without retries.

    Args:
        storms: those of one panel differ in their limit only.
        peak: requests a second.
        note: a line below: how it was measured.

    Returns:
        The SVG document; it follows the reader's light or dark colours.
    """
    panels: dict[tuple[int, float], list[Storm]] = {}
    for one in storms:
        panels.setdefault((one.retries, one.factor), []).append(one)
    rows = -(-len(panels) // _COLUMNS)
    width = _LEFT + _COLUMNS * (_WIDTH + _ACROSS)
    height = _TOP + rows * (_HEIGHT + _DOWN) + _BOTTOM
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    title = "More than a process can do: what gets done"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{width}" height="{height}" rx="8"/>',
        _text(24, 36, title, "title"),
    ]
    for place, ((retries, factor), ones) in enumerate(sorted(panels.items())):
        left = _LEFT + place % _COLUMNS * (_WIDTH + _ACROSS)
        top = _TOP + 24 + place // _COLUMNS * (_HEIGHT + _DOWN)
        name = f"{factor:g} × the peak" + (f", {retries} retries" if retries else "")
        parts += _panel(name, ones, peak, left, top)
    parts += [_text(24, height - 38, _LEGEND), _text(24, height - 18, note), "</svg>"]
    return "\n".join(parts) + "\n"


def _panel(
    name: str, storms: Sequence[Storm], peak: float, left: float, top: float
) -> Iterable[str]:
    first = storms[0]
    length = max(one.due for one in first.results)
    scale = _WIDTH / length
    x, width = left + first.began * scale, (first.ended - first.began) * scale
    yield _text(left, top - 10, name, "panel")
    yield f'<rect class="storm" x="{x:.1f}" y="{top}" width="{width:.1f}" height="{_HEIGHT}"/>'
    for part, style in ((0.0, "grid"), (1.0, "peak")):
        y = _height(part * peak, peak, top)
        yield f'<line class="{style}" x1="{left}" x2="{left + _WIDTH}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{part * peak:.0f}</text>'
    for one in storms:
        style = "none" if one.limit == NO_LIMIT else "ours"
        yield f'<path class="{style}" d="{_line(one, peak, left, top, scale)}"/>'
    for second in range(0, int(length) + 1, 5):
        at = round(left + second * scale, 1)
        yield f'<text x="{at}" y="{top + _HEIGHT + 18}" text-anchor="middle">{second} s</text>'


def _line(storm: Storm, peak: float, left: float, top: float, scale: float) -> str:
    """Half a second is a step; an answer counts when it comes."""
    steps = Counter(int((one.due + one.seconds) * 2) for one in storm.results if one.good)
    last = int(max(one.due for one in storm.results) * 2)
    points = [
        f"{left + (step + 0.5) / 2 * scale:.1f} {_height(steps[step] * 2, peak, top)}"
        for step in range(last)
    ]
    return "M" + "L".join(points)


def _height(rate: float, peak: float, top: float) -> float:
    return round(top + _HEIGHT * (1 - min(rate / peak, _HIGHEST) / _HIGHEST), 1)


def _text(x: float, y: float, text: str, style: str = "note") -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{escape(text)}</text>'
