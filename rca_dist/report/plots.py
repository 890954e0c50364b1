"""Plots as inline SVG, drawn by hand: no fonts, no scripts, and colours that follow the page's light or dark theme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

_POINTS = 500


@dataclass(frozen=True)
class Series:
    """A named line: points (x, y), its CSS class, and whether each point is marked."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]
    marked: bool = False


@dataclass(frozen=True)
class Bar:
    """A value with its interval (None where there is none), one row of `interval_plot`."""

    name: str
    value: float
    low: float | None
    high: float | None
    strong: bool = False


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers (steps of 1, 2 or 5 times a power of ten) that lie within `low` and `high`."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def line_plot(series: Sequence[Series], *, width: int, height: int, x_label: str, y_label: str, title: str) -> Markup:
    """`series` on common axes; long ones are drawn as means over equal stretches. Empty where no point is finite."""
    kept = [Series(s.name, s.style, thin(finite(s.points)), s.marked) for s in series]
    kept = [s for s in kept if s.points]
    if not kept:
        return Markup("")
    xs = [x for s in kept for x, _ in s.points]
    ys = [y for s in kept for _, y in s.points]
    frame = _Frame(width, height, (0.0, max(max(xs), 1.0)), _padded(min(ys), max(ys)))
    parts = [frame.axes(x_label, y_label)]
    for s in kept:
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in s.points)
        if len(s.points) > 1:
            parts.append(f'<polyline class="line {escape(s.style)}" points="{path}"/>')
        if s.marked or len(s.points) == 1:
            parts += [
                f'<circle class="dot {escape(s.style)}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3"/>'
                for x, y in s.points
            ]
    parts.append(_legend(kept, frame.right))
    return _svg(width, height, title, parts)


def interval_plot(bars: Sequence[Bar], *, width: int, label: str, title: str) -> Markup:
    """One row per system: a dot at the value, a whisker over its interval; the axis starts at 0."""
    shown = [b for b in bars if math.isfinite(b.value)]
    if not shown:
        return Markup("")
    row, top, left = 26, 6, 84
    ends = [x for b in shown for x in (b.value, b.high, b.low) if x is not None and math.isfinite(x)]
    low, high = min(0.0, *ends), max(*ends, 0.0)
    high = high if high > low else low + 1.0
    bottom = top + row * len(shown)

    def place(x: float) -> float:
        return left + (width - left - 16) * (x - low) / (high - low)

    parts = []
    for tick in ticks(low, high, max(2, (width - left) // 80)):
        parts.append(f'<line class="grid" x1="{place(tick):.1f}" x2="{place(tick):.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="mid" x="{place(tick):.1f}" y="{bottom + 16}">{_tick(tick)}</text>')
    for i, bar in enumerate(shown):
        y = top + row * (i + 0.5)
        style = "one" if bar.strong else "rest"
        parts.append(f'<text class="end" x="{left - 10}" y="{y + 4:.1f}">{escape(bar.name)}</text>')
        if bar.low is not None and bar.high is not None:
            ends_at = f'x1="{place(bar.low):.1f}" x2="{place(bar.high):.1f}" y1="{y:.1f}" y2="{y:.1f}"'
            parts.append(f'<line class="whisker {style}" {ends_at}/>')
        parts.append(f'<circle class="dot {style}" cx="{place(bar.value):.1f}" cy="{y:.1f}" r="4.5"/>')
    parts.append(f'<text class="mid" x="{(left + width - 16) / 2:.1f}" y="{bottom + 34}">{escape(label)}</text>')
    return _svg(width, bottom + 42, title, parts)


def finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points whose two numbers are finite, in order of x."""
    return sorted(p for p in points if math.isfinite(p[0]) and math.isfinite(p[1]))


def thin(points: Sequence[tuple[float, float]], limit: int = _POINTS) -> list[tuple[float, float]]:
    """At most `limit` points: means of equally long stretches, the last point kept as it is."""
    if len(points) <= limit:
        return list(points)
    edges = [round(k * (len(points) - 1) / (limit - 1)) for k in range(limit)]
    means = []
    for start, stop in pairwise(edges):
        part = points[start:stop]
        means.append((sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)))
    return [*means, points[-1]]


class _Frame:
    """The rectangle of a line plot and its two scales."""

    def __init__(self, width: int, height: int, xs: tuple[float, float], ys: tuple[float, float]) -> None:
        self.width, self.height, self.xs, self.ys = width, height, xs, ys
        self.left, self.right, self.top, self.bottom = 52, width - 14, 34, height - 44

    def x(self, value: float) -> float:
        return self.left + (self.right - self.left) * (value - self.xs[0]) / (self.xs[1] - self.xs[0])

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * (value - self.ys[0]) / (self.ys[1] - self.ys[0])

    def axes(self, x_label: str, y_label: str) -> str:
        parts = []
        for tick in ticks(*self.ys, max(2, self.height // 60)):
            y = self.y(tick)
            parts.append(f'<line class="grid" x1="{self.left}" x2="{self.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text class="end" x="{self.left - 8}" y="{y + 4:.1f}">{_tick(tick)}</text>')
        for tick in ticks(*self.xs, max(2, self.width // 80)):
            parts.append(f'<text class="mid" x="{self.x(tick):.1f}" y="{self.bottom + 18}">{_tick(tick)}</text>')
        middle = (self.left + self.right) / 2
        parts.append(f'<line class="axis" x1="{self.left}" x2="{self.right}" y1="{self.bottom}" y2="{self.bottom}"/>')
        parts.append(f'<text class="mid" x="{middle:.1f}" y="{self.bottom + 38}">{escape(x_label)}</text>')
        parts.append(f'<text x="4" y="14">{escape(y_label)}</text>')
        return "".join(parts)


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * (high - low) or max(0.5, 0.1 * abs(high))
    floor = 0.0 if low >= 0.0 else -math.inf
    return max(floor, low - margin), high + margin


def _tick(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:,.4g}k".replace("-", "\u2212")
    return f"{value:,.4g}".replace("-", "\u2212") if value else "0"


def _legend(series: Sequence[Series], right: float) -> str:
    """Keys in one row that ends at the right border; letters are about 6.6 px wide at this size."""
    parts, x = [], right - sum(26 + 6.6 * len(s.name) + 14 for s in series) + 14
    for s in series:
        parts.append(f'<line class="line {escape(s.style)}" x1="{x:.1f}" x2="{x + 18:.1f}" y1="10" y2="10"/>')
        if s.marked:
            parts.append(f'<circle class="dot {escape(s.style)}" cx="{x + 9:.1f}" cy="10" r="3"/>')
        parts.append(f'<text x="{x + 24:.1f}" y="14">{escape(s.name)}</text>')
        x += 26 + 6.6 * len(s.name) + 14
    return "".join(parts)


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> Markup:
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return Markup(f'<svg {box} role="img" aria-label="{escape(title)}">' + "".join(parts) + "</svg>")
