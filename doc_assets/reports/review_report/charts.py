"""Charts as SVG without script or style: numbers alone stand in them, words stand beside them.

Shapes have colours as attributes, which a stylesheet may replace by their classes; a policy that refuses inline styles
lets both pass.
"""

from collections.abc import Sequence

from markupsafe import Markup, escape

from doc_assets.reports.review_report.statistics import ReliabilityBin
from doc_assets.util.visible import visible

_WIDTH, _HEIGHT, _FOOT, _HEAD = 640, 190, 22, 16
_SIDE, _MARGIN = 300, 34
_FONT = 'font-family="sans-serif" font-size="12"'
_LEAST_RADIUS, _MOST_RADIUS = 3.0, 9.0


def bar_chart(bars: Sequence[tuple[str, int]], label: str) -> Markup:
    """Upright bars, each with its name below and its count above; the heights are in proportion to the counts.

    Args:
        bars: name and count of each, from left to right.
        label: id of the element that says what the chart shows.
    """
    most = max([n for _, n in bars], default=0) or 1
    step = _WIDTH / max(1, len(bars))
    shapes = []
    for at, (name, n) in enumerate(bars):
        height = (_HEIGHT - _FOOT - _HEAD) * n / most
        top, middle = _HEIGHT - _FOOT - height, (at + 0.5) * step
        shapes.append(
            f'<rect class="bar" fill="#0b57a4" x="{at * step + step * 0.12:.1f}" y="{top:.1f}" '
            f'width="{step * 0.76:.1f}" height="{height:.1f}"/>'
            f"{_text(f'{n:,}', middle, top - 4, 'middle')}{_text(name, middle, _HEIGHT - 6, 'middle')}"
        )
    shapes.append(_line(0, _HEIGHT - _FOOT, _WIDTH, _HEIGHT - _FOOT, "axis", "#7b8694"))
    return _svg(_WIDTH, _HEIGHT, "".join(shapes), label)


def share_bar(share: float) -> Markup:
    """A bar for a table's cell that is filled to a share in [0, 1]; the cell says the same in figures."""
    filled = 100 * min(1.0, max(0.0, share))
    return Markup(
        '<svg class="share" viewBox="0 0 100 8" width="100" height="8" aria-hidden="true">'
        '<rect class="rest" fill="#c9ced6" width="100" height="8"/>'
        f'<rect class="bar" fill="#0b57a4" width="{filled:.1f}" height="8"/></svg>'
    )


def reliability_chart(bins: Sequence[ReliabilityBin], label: str) -> Markup:
    """Probability across, share of the same photograph up; the diagonal is a probability that can be trusted.

    Each bin is a point, larger with more pairs, with its 95% interval as a line.
    """
    size = _SIDE + 2 * _MARGIN
    shapes = [_line(_at(0), _up(0), _at(1), _up(1), "axis", "#7b8694", "4 4")]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        shapes += [
            _line(_at(tick), _up(0), _at(tick), _up(1), "grid", "#c9ced6"),
            _line(_at(0), _up(tick), _at(1), _up(tick), "grid", "#c9ced6"),
            _text(f"{tick:g}", _at(tick), _up(0) + 18, "middle"),
            _text(f"{tick:g}", _at(0) - 6, _up(tick) + 4, "end"),
        ]
    most = max([each.same.n for each in bins], default=1)
    for each in bins:
        same = each.same
        if same.share is None or same.low is None or same.high is None:
            continue
        radius = _LEAST_RADIUS + (_MOST_RADIUS - _LEAST_RADIUS) * (same.n / most) ** 0.5
        shapes += [
            _line(_at(each.mean), _up(same.low), _at(each.mean), _up(same.high), "whisker", "#0b57a4"),
            f'<circle class="bar" fill="#0b57a4" cx="{_at(each.mean):.1f}" cy="{_up(same.share):.1f}" '
            f'r="{radius:.1f}"/>',
        ]
    return _svg(size, size, "".join(shapes), label)


def _at(share: float) -> float:
    return _MARGIN + share * _SIDE


def _up(share: float) -> float:
    return _MARGIN + (1 - share) * _SIDE


def _text(says: str, x: float, y: float, anchor: str) -> str:
    return (
        f'<text class="label" fill="#1c2430" {_FONT} text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">'
        f"{escape(visible(says))}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, name: str, colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line class="{name}" stroke="{colour}"{dashed} x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _svg(width: int, height: int, shapes: str, label: str) -> Markup:
    named = f' aria-labelledby="{escape(label)}"' if label else ""
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img"{named} viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">{shapes}</svg>'
    )
