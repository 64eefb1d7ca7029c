"""Plots as SVG text: no library, no script; colours are the page's CSS variables, so that dark mode is one rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from optimizer.report.intervals import Interval

WIDTH = 420
"""Units, about CSS pixels: a plot is legible on a phone without being shrunk."""

_RIGHT = 14
_LABEL = 138
_CHARACTER = 6.1


class Canvas:
    """Collects SVG elements.

    Parameters
    ----------
    height : float
    title, description : str
        Read out by screen readers in place of the drawing.
    """

    def __init__(self, height: float, title: str, description: str = "", width: float = WIDTH) -> None:
        self.width, self.height = width, height
        self._title, self._description = title, description
        self._parts: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """Draw a line."""
        self._parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def circle(self, x: float, y: float, radius: float, kind: str, tip: str = "") -> None:
        """Draw a dot."""
        self._add("circle", f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"', kind, tip)

    def square(self, x: float, y: float, size: float, kind: str, tip: str = "") -> None:
        """Draw a square around a point."""
        self.rect(x - size / 2, y - size / 2, size, size, kind, tip)

    def rect(
        self, x: float, y: float, width: float, height: float, kind: str, tip: str = "", opacity: float | None = None
    ) -> None:
        """Draw a rectangle."""
        faint = "" if opacity is None else f' fill-opacity="{opacity:.2f}"'
        box = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"{faint}'
        self._add("rect", box, kind, tip)

    def path(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """Draw a line through points."""
        if points:
            steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
            self._parts.append(f'<path class="{kind}" d="M{steps}"/>')

    def text(self, x: float, y: float, words: str, anchor: str = "start", kind: str = "", room: float = 0) -> None:
        """Write words; with `room`, cut to that many units, the whole being their tooltip."""
        shown, most = words, int(room / _CHARACTER)
        if room and len(words) > most:
            shown = words[: most - 1].rstrip() + "…"
        tip = f"<title>{escape(words)}</title>" if shown != words else ""
        style = f' class="{kind}"' if kind else ""
        self._parts.append(f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{tip}{escape(shown)}</text>')

    def _add(self, name: str, attributes: str, kind: str, tip: str) -> None:
        inside = f"><title>{escape(tip)}</title></{name}>" if tip else "/>"
        self._parts.append(f'<{name} class="{kind}" {attributes}{inside}')

    def svg(self) -> str:
        """Return the drawing."""
        label = self._title + (f". {self._description}" if self._description else "")
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{escape(label)}">'
            + "".join(self._parts)
            + "</svg>"
        )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most so many."""
    span = max(high - low, 1e-9)
    step = 10.0 ** np.floor(np.log10(span / most))
    for factor in (1, 2, 5, 10, 20):
        if span / (step * factor) <= most:
            step *= factor
            break
    first = np.ceil(low / step - 1e-9)
    # Adding zero turns -0.0 into 0.0.
    return [float(round(number * step, 10)) + 0.0 for number in np.arange(first, np.floor(high / step + 1e-9) + 1)]


def trials(numbers: Sequence[int], values: Sequence[float], phases: Sequence[str]) -> str:
    """Score over trials, the phase by the mark's shape and colour, with the best so far."""
    top, bottom, left = 12, 190, 34
    low, high = _range(values)
    last = max(max(numbers), 1)
    canvas = Canvas(228, "Score over trials with best so far", f"{len(values)} songs, best {max(values):.2f}")

    def x(number: float) -> float:
        return left + 6 + (WIDTH - left - _RIGHT - 6) * number / last

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    _grid_y(canvas, ticks(low, high), y, left)
    for number in ticks(0, last):
        if number == int(number):
            canvas.text(x(number), bottom + 15, f"{number:g}", "middle", "tick")
    canvas.text(WIDTH - _RIGHT, bottom + 32, "trial", "end", "tick")
    steps: list[tuple[float, float]] = []
    best = -1.0
    for number, value in zip(numbers, values, strict=True):
        if value > best:
            if steps:
                steps.append((x(number), y(best)))
            best = value
            steps.append((x(number), y(best)))
    steps.append((x(last), y(best)))
    canvas.path(steps, "best")
    radius = 3.2 if len(values) <= 150 else 2.0 if len(values) <= 800 else 1.4
    tips = len(values) <= 300
    for number, value, phase in zip(numbers, values, phases, strict=True):
        tip = f"trial {number}: {value:.2f}, {phase}" if tips else ""
        if phase == "sweep":
            canvas.square(x(number), y(value), 1.8 * radius, "sweep", tip)
        else:
            canvas.circle(x(number), y(value), radius, "refine", tip)
    at: float = left + 6
    for phase in dict.fromkeys(phases):
        mark = canvas.square if phase == "sweep" else canvas.circle
        mark(at + 3, bottom + 28, 6 if phase == "sweep" else 3.2, "sweep" if phase == "sweep" else "refine")
        canvas.text(at + 11, bottom + 32, phase, kind="tick")
        at += 24 + _CHARACTER * len(phase)
    canvas.line(at, bottom + 28, at + 14, bottom + 28, "best")
    canvas.text(at + 19, bottom + 32, "best so far", kind="tick")
    return canvas.svg()


def dots(
    title: str,
    rows: Sequence[tuple[str, Interval]],
    *,
    axis: str = "mean score",
    line: float | None = None,
    percent: bool = False,
) -> str:
    """Estimates with their intervals, one row each; a dashed line marks a value to compare with.

    A row with too few songs for an interval is an empty dot.
    """
    row_height, top = 22, 10
    bottom = top + row_height * len(rows)
    ends = [end for _, one in rows for end in (one.value, one.low, one.high) if end is not None]
    # Two songs can have an interval wider than the scale; it must not squeeze all others.
    values = [one.value for _, one in rows]
    middle = [end for _, one in rows if one.n > 4 for end in (one.low, one.high) if end is not None]
    near = [*values, *(middle or ends), *([] if line is None else [line])]
    low, high = _range(near) if not percent else (min(0.0, *near), max(0.05, *near))
    room = 46
    right = WIDTH - _RIGHT - room
    canvas = Canvas(
        bottom + 36,
        title,
        "; ".join(_spoken(label, one, percent) for label, one in rows[:12])
        + ("" if len(rows) <= 12 else f"; and {len(rows) - 12} more"),
    )

    def x(value: float) -> float:
        return _LABEL + (right - _LABEL) * min(max((value - low) / (high - low), 0.0), 1.0)

    for tick in ticks(low, high, 5):
        canvas.line(x(tick), top, x(tick), bottom, "grid")
        canvas.text(x(tick), bottom + 14, f"{100 * tick:.0f}%" if percent else f"{tick:g}", "middle", "tick")
    canvas.text((_LABEL + right) / 2, bottom + 31, axis, "middle", "tick")
    if line is not None:
        canvas.line(x(line), top, x(line), bottom, "mark")
    for index, (label, one) in enumerate(rows):
        y = top + row_height * (index + 0.5)
        canvas.text(_LABEL - 8, y + 4, label, "end", room=_LABEL - 8)
        if one.low is not None and one.high is not None:
            canvas.line(x(one.low), y, x(one.high), y, "whisker")
        canvas.circle(x(one.value), y, 4, "dot" if one.known else "hollow", _spoken(label, one, percent))
        canvas.text(WIDTH - 4, y + 4, f"n={one.n}", "end", "tick")
    return canvas.svg()


def histogram(values: Sequence[float], other: Sequence[float] = (), other_name: str = "") -> str:
    """Distribution of scores; another set of scores is drawn as a line, both as shares of their set."""
    low, high = _range([*values, *other])
    edges = np.linspace(low, high, 21)
    shares = np.histogram(values, edges)[0] / len(values)
    others = np.histogram(other, edges)[0] / len(other) if other else np.zeros(20)
    top, bottom, left = 12, 190, 40
    most = float(max(shares.max(), others.max()))
    middle = float(np.median(values))
    canvas = Canvas(228, "Distribution of scores", f"median {middle:.2f}, {len(values)} songs")

    def x(value: float) -> float:
        return left + (WIDTH - left - _RIGHT) * (value - low) / (high - low)

    def y(share: float) -> float:
        return bottom - (bottom - top) * share / most

    for tick in ticks(0, most, 4):
        canvas.line(left, y(tick), WIDTH - _RIGHT, y(tick), "grid")
        canvas.text(left - 6, y(tick) + 4, f"{100 * tick:.0f}%", "end", "tick")
    for tick in ticks(low, high):
        canvas.text(x(tick), bottom + 15, f"{tick:g}", "middle", "tick")
    for start, end, share in zip(edges, edges[1:], shares, strict=False):
        tip = f"{start:.2f} to {end:.2f}: {100 * share:.0f}%"
        canvas.rect(x(start) + 0.5, y(share), x(end) - x(start) - 1, bottom - y(share), "bar", tip)
    if other:
        steps: list[tuple[float, float]] = []
        for start, end, share in zip(edges, edges[1:], others, strict=False):
            steps += [(x(start), y(share)), (x(end), y(share))]
        canvas.path(steps, "best")
        canvas.line(left, bottom + 28, left + 14, bottom + 28, "best")
        canvas.text(left + 19, bottom + 32, f"{other_name} (n={len(other)})", kind="tick", room=220)
    canvas.text(WIDTH - _RIGHT, bottom + 32, "score", "end", "tick")
    return canvas.svg()


def heat(
    title: str,
    columns: Sequence[str],
    rows: Sequence[str],
    cells: Mapping[tuple[int, int], Interval],
    low: float,
    high: float,
) -> str:
    """Mean scores over two factors; a darker cell is a higher score, an empty one has no song."""
    left, top, row_height = 74, 22, 24
    width = (WIDTH - left - 4) / len(columns)
    canvas = Canvas(top + row_height * len(rows) + 4, f"{title}: mean score by BPM and key")
    for column, label in enumerate(columns):
        canvas.text(left + width * (column + 0.5), top - 7, label, "middle", "tick")
    for row, label in enumerate(rows):
        canvas.text(left - 6, top + row_height * (row + 0.5) + 4, label, "end", "tick")
        for column in range(len(columns)):
            at = (left + width * column + 1, top + row_height * row + 1, width - 2, row_height - 2)
            one = cells.get((row, column))
            if one is None:
                canvas.rect(*at, "void")
                continue
            # Pale enough that the number on it can be read in either colour scheme.
            shade = 0.06 + 0.44 * (one.value - low) / max(high - low, 1e-9)
            canvas.rect(*at, "cell", _spoken(f"{columns[column]} BPM, {label}", one, False), min(max(shade, 0.06), 0.5))
            if width >= 30:
                middle = left + width * (column + 0.5)
                canvas.text(middle, top + row_height * (row + 0.5) + 4, f"{one.value:.1f}", "middle", "tick value")
    return canvas.svg()


def scatter(title: str, groups: Sequence[tuple[float, Interval]], fit: Sequence[tuple[float, float]], axis: str) -> str:
    """Means with intervals over a number, with a fitted line."""
    top, bottom, left = 12, 190, 34
    near = [end for _, one in groups if one.n > 2 for end in (one.low, one.high) if end is not None]
    low, high = _range([*(one.value for _, one in groups), *near, *(y for _, y in fit)])
    xs = [x for x, _ in groups]
    first, last = min(xs), max(xs)
    canvas = Canvas(228, title, "; ".join(_spoken(f"{x:g} {axis}", one, False) for x, one in groups[:12]))

    def x(value: float) -> float:
        return left + 16 + (WIDTH - left - _RIGHT - 32) * (value - first) / max(last - first, 1e-9)

    def y(value: float) -> float:
        return bottom - (bottom - top) * min(max((value - low) / (high - low), 0.0), 1.0)

    _grid_y(canvas, ticks(low, high), y, left)
    for tick in ticks(first, last):
        canvas.text(x(tick), bottom + 15, f"{tick:g}", "middle", "tick")
    canvas.text(WIDTH - _RIGHT, bottom + 32, axis, "end", "tick")
    canvas.path([(x(a), y(b)) for a, b in fit], "mark")
    for at, one in groups:
        if one.low is not None and one.high is not None:
            canvas.line(x(at), y(one.low), x(at), y(one.high), "whisker")
        canvas.circle(x(at), y(one.value), 4, "dot" if one.known else "hollow", _spoken(f"{at:g} {axis}", one, False))
    return canvas.svg()


def _grid_y(canvas: Canvas, at: Sequence[float], y: object, left: float) -> None:
    assert callable(y)
    for tick in at:
        canvas.line(left, y(tick), WIDTH - _RIGHT, y(tick), "grid")
        canvas.text(left - 6, y(tick) + 4, f"{tick:g}", "end", "tick")


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = max(0.06 * (high - low), 0.05)
    return low - margin, high + margin


def _spoken(label: str, one: Interval, percent: bool) -> str:
    return f"{label}: {spell(one, percent)}"


def spell(one: Interval, percent: bool = False, signed: bool = False) -> str:
    """Spell an estimate: ``3.41 [3.20, 3.62], n=24``."""

    def number(value: float) -> str:
        sign = "+" if signed else ""
        return f"{100 * value:{sign}.0f}%" if percent else f"{value:{sign}.2f}"

    if one.low is None or one.high is None:
        return f"{number(one.value)}, n={one.n}"
    return f"{number(one.value)} [{number(one.low)}, {number(one.high)}], n={one.n}"
