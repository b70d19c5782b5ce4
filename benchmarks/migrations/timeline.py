"""The plot: each request as a dot over the time, and what went on meanwhile behind them."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from textwrap import dedent

from benchmarks.migrations.performance import WARM_UP, Performance, Phase
from benchmarks.migrations.traffic import Request

_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 84, 62
_WIDTH, _HEIGHT, _BETWEEN = 1000, 210, 84
_FASTEST, _SLOWEST = 0.001, 10.0  # seconds, the ends of the scale
_GRID = ((0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"))

_LEGEND = (
    "A dot is a request, red if it failed. Dashed: lock timeout + 100 ms. Orange: a reader has its "
    "transaction open, dark from when the migration waits for it."
)
_STYLE = dedent("""\
    text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #59636e }
    .title { font-size: 18px; font-weight: 600; fill: #1f2328 }
    .way { font-size: 14px; font-weight: 600; fill: #1f2328 }
    .back { fill: #ffffff } .grid { stroke: #d1d9e0 }
    .limit { stroke: #9a6700; stroke-dasharray: 5 4 }
    .limited { fill: #9a6700 } .migrate { fill: #0969da; opacity: .13 }
    .roll { fill: #59636e; opacity: .09 } .waits { fill: #bc4c00; opacity: .55 }
    .reads { fill: #bc4c00; opacity: .22 } .reader { fill: #bc4c00 }
    path { fill: none; stroke-linecap: round }
    .served { stroke: #0969da; stroke-width: 1.8; opacity: .6 } .plain { stroke: #59636e }
    .failed { stroke: #cf222e; stroke-width: 3 } .failures { fill: #cf222e; font-weight: 600 }
    @media (prefers-color-scheme: dark) {
      text { fill: #9198a1 } .title, .way { fill: #f0f6fc } .back { fill: #0d1117 }
      .grid { stroke: #3d444d } .served { stroke: #4493f8 } .plain { stroke: #9198a1 }
      .failed { stroke: #f85149 } .failures { fill: #f85149 } .limit { stroke: #d29922 }
      .limited { fill: #d29922 } .migrate { fill: #4493f8; opacity: .2 } .reader { fill: #db6d28 }
    }""")


def plot(performances: Sequence[Performance], *, limit: float, note: str) -> str:
    """Draws all ways over the same time, one below the other.

    Args:
        performances: from top to bottom.
        limit: seconds that no request should take longer than.
        note: a line below: how it was measured.

    Returns:
        The SVG document; it follows the reader's light or dark colours.
    """
    width = _LEFT + _WIDTH + _RIGHT
    height = _TOP + len(performances) * (_HEIGHT + _BETWEEN) - _BETWEEN + _BOTTOM + 52
    longest = max(_length(one) for one in performances)
    title = "What 200 requests a second feel of three deploys that change the schema"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{width}" height="{height}" rx="8"/>',
        _text(24, 36, title, "title"),
    ]
    for place, one in enumerate(performances):
        top = _TOP + 30 + place * (_HEIGHT + _BETWEEN)
        parts += _panel(one, top, _WIDTH / longest, limit)
    parts += [_text(24, height - 38, _LEGEND), _text(24, height - 18, note), "</svg>"]
    return "\n".join(parts) + "\n"


def _length(one: Performance) -> float:
    return max(phase.ended for phase in one.phases) - _start(one)


def _start(one: Performance) -> float:
    return next(phase.ended for phase in one.phases if phase.name == WARM_UP)


def _panel(one: Performance, top: float, scale: float, limit: float) -> list[str]:
    start = _start(one)
    requests = [request for request in one.requests if request.at >= start]
    failed = [request for request in requests if request.failed]
    served = [request for request in requests if not request.failed]
    kind = "served" if one.way.ours else "served plain"
    return [
        _text(24, top - 34, one.way.title, "way"),
        _outcome(requests, failed, top),
        *_bands(one, top, scale, start),
        *_grid(top),
        *_limit(limit, top),
        f'<path class="{kind}" d="{_dots(served, top, scale, start)}"/>',
        f'<path class="failed" d="{_dots(failed, top, scale, start)}"/>',
        *_seconds(one, top, scale),
    ]


def _outcome(requests: Sequence[Request], failed: Sequence[Request], top: float) -> str:
    slowest = max(request.seconds for request in requests)
    counts = f"{len(requests):,} requests; {len(failed):,} failed".replace(",", " ")
    style = "failures" if failed else "note"
    place = f'x="{_LEFT + _WIDTH}" y="{top - 34:g}" text-anchor="end"'
    return f'<text class="{style}" {place}>{counts}; slowest {slowest:.2f} s</text>'


def _bands(one: Performance, top: float, scale: float, start: float) -> Iterable[str]:
    for phase in one.phases:
        if phase.name.startswith(("migrate", "roll")):
            yield _band(phase, top, scale, start)
    for reader in one.readers:
        met = reader.met if reader.met is not None else reader.ended
        for style, began, ended in (("reads", reader.began, met), ("waits", met, reader.ended)):
            x, width = _LEFT + (began - start) * scale, (ended - began) * scale
            place = f'x="{x:.1f}" y="{top - 6:g}" width="{width:.1f}" height="5"'
            yield f'<rect class="{style}" {place}/>'


def _band(phase: Phase, top: float, scale: float, start: float) -> str:
    x, width = _LEFT + (phase.began - start) * scale, (phase.ended - phase.began) * scale
    style = "migrate" if phase.name.startswith("migrate") else "roll"
    place = f'x="{x:.1f}" y="{top:g}" width="{width:.1f}" height="{_HEIGHT}"'
    label = _text(round(x, 1), top - 12, phase.name) if width > 6 * len(phase.name) else ""
    return f'<rect class="{style}" {place}><title>{phase.name}</title></rect>{label}'


def _grid(top: float) -> Iterable[str]:
    for seconds, label in _GRID:
        y = _height(seconds, top)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{label}</text>'


def _limit(limit: float, top: float) -> list[str]:
    y, label = _height(limit, top), f"{limit * 1e3:.0f} ms"
    return [
        f'<line class="limit" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y}" y2="{y}"/>',
        f'<text class="limited" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{label}</text>',
    ]


def _height(seconds: float, top: float) -> float:
    within = min(max(seconds, _FASTEST), _SLOWEST)
    part = math.log(within / _FASTEST) / math.log(_SLOWEST / _FASTEST)
    return round(top + _HEIGHT * (1 - part), 1)


def _dots(requests: Sequence[Request], top: float, scale: float, start: float) -> str:
    """One path for all, each dot a line of no length; those on the same pixel are one."""
    places = {
        (round(_LEFT + (one.at - start) * scale), round(_height(one.seconds, top)))
        for one in requests
    }
    drawn, (x, y) = [], (0, 0)
    for left, down in sorted(places):
        drawn.append(f"m{left - x} {down - y}h0")
        x, y = left, down
    return "".join(drawn)


def _seconds(one: Performance, top: float, scale: float) -> Iterable[str]:
    for seconds in range(0, int(_length(one)) + 1, 10):
        x = round(_LEFT + seconds * scale, 1)
        yield f'<text x="{x}" y="{top + _HEIGHT + 18:g}" text-anchor="middle">{seconds} s</text>'


def _text(x: float, y: float, text: str, style: str = "note") -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{escape(text)}</text>'
