"""Bars as inline SVG, in the manner of `plots`: no scripts, colours by CSS class, so that they follow the page's theme."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from rca_dist.report.plots import ticks

_MOST_LABELS = 12


def bar_plot(bars: Sequence[tuple[str, float]], *, width: int, height: int, x_label: str, y_label: str, title: str) -> Markup:
    """Upright bars from 0, one per (label, value >= 0), with some of the labels below; empty without any value above 0."""
    top_value = max((value for _, value in bars), default=0.0)
    if top_value <= 0:
        return Markup("")
    left, right, top, bottom = 52, width - 10, 24, height - 44
    step = (right - left) / len(bars)
    parts = []
    for tick in ticks(0.0, top_value, max(2, height // 70)):
        y = bottom - (bottom - top) * tick / top_value
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="end" x="{left - 8}" y="{y + 4:.1f}">{tick:,.4g}</text>')
    every = -(-len(bars) // min(_MOST_LABELS, max(2, width // 70)))
    for place, (label, value) in enumerate(bars):
        x, tall = left + place * step, (bottom - top) * value / top_value
        gap = min(3.0, 0.15 * step)
        parts.append(
            f'<rect class="bar" x="{x + gap / 2:.1f}" y="{bottom - tall:.1f}" width="{max(0.5, step - gap):.1f}" '
            f'height="{tall:.1f}"><title>{escape(label)}: {value:,.0f}</title></rect>'
        )
        if place % every == 0:
            parts.append(f'<text class="mid" x="{x + step / 2:.1f}" y="{bottom + 17}">{escape(label)}</text>')
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text class="mid" x="{(left + right) / 2:.1f}" y="{bottom + 37}">{escape(x_label)}</text>')
    parts.append(f'<text x="4" y="13">{escape(y_label)}</text>')
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return Markup(f'<svg {box} role="img" aria-label="{escape(title)}">' + "".join(parts) + "</svg>")


def trimmed(bars: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """The bars without the empty ones before the first and after the last that holds something."""
    filled = [place for place, (_, value) in enumerate(bars) if value]
    return list(bars[filled[0] : filled[-1] + 1]) if filled else []
