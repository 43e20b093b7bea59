"""Inline SVG: scales, axes and marks. Ink is `currentColor`, so that a drawing follows the page's light or dark.

Marks are strings of SVG; `svg` puts them into one drawing. Lengths are in the drawing's own units (CSS pixels at full
width).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

# The first five are Okabe & Ito's, which stay apart for colour-blind readers, and three of ours follow for as many
# modalities; of middling lightness, so that they show on light and dark.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D31", "#7A9A01", "#5A6372")
SYNERGY, REDUNDANCY, PLAIN = "#D55E00", "#9A5FB5", "#8A93A0"
SMALL = 11  # font size of ticks and labels
CHARACTER = 7.0  # width of one at that size, about
LARGEST = 1e300  # of numbers that are drawn
NICE = (1, 2, 2.5, 5, 10)


def expert_colours(experts: Sequence[str]) -> dict[str, str]:
    """Give every expert its colour, the same everywhere."""
    uniqueness = [name for name in experts if name.startswith("uniqueness_")]
    colours = {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(uniqueness)}
    others = {"synergy": SYNERGY, "redundancy": REDUNDANCY}
    return {name: (colours | others).get(name, PLAIN) for name in experts}


@dataclass(frozen=True)
class Scale:
    """A linear map of values from low..high to start..end."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, values: Iterable[float], start: float, end: float, margin: float = 0.05) -> "Scale":
        """Return a scale that holds all values of a size that can be drawn, with a margin at both ends."""
        drawn = [float(value) for value in values if abs(value) < LARGEST] or [0.0, 1.0]  # NaN is not among them
        low, high = min(drawn), max(drawn)
        spread = high - low or abs(high)
        room = (spread if spread > 1 / LARGEST else 1.0) * margin
        return cls(low - room, high + room, start, end)

    def __call__(self, value: float) -> float:
        """Return where a value is."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values inside the scale, about so many.

        Examples:
            >>> Scale(0.42, 0.97, 0, 100).ticks()
            [0.5, 0.6, 0.7, 0.8, 0.9]
        """
        width = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(width))
        steps = (step * power for step in NICE if step * power >= 0.85 * width)
        step = next(steps)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def svg(width: float, height: float, label: str, marks: Iterable[str]) -> Markup:
    """Return a drawing, with what it shows in words for those who do not see it."""
    return Markup(  # noqa: S704 (its words are escaped)
        f'<svg role="img" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" font-size="{SMALL}" fill="currentColor" aria-label="{escape(label)}">'
        f"{''.join(marks)}</svg>"
    )


def text(x: float, y: float, words: str, anchor: str = "start", extra: str = "") -> str:
    """Return words, their middle at a height."""
    return f'<text x="{x:.1f}" y="{y + SMALL * 0.36:.1f}" text-anchor="{anchor}" {extra}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, extra: str = "") -> str:
    """Return a straight line."""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="currentColor" {extra}/>'


def path(points: Sequence[tuple[float, float]], colour: str, extra: str = "") -> str:
    """Return a line through points."""
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{steps}" fill="none" stroke="{colour}" {extra}/>'


def dot(x: float, y: float, colour: str, radius: float = 4, extra: str = "") -> str:
    """Return a dot."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}" {extra}/>'


def bar(x: float, y: float, width: float, height: float, colour: str, extra: str = "") -> str:
    """Return a bar; a negative width grows to the left."""
    left = min(x, x + width)
    return f'<rect x="{left:.1f}" y="{y:.1f}" width="{abs(width):.1f}" height="{height:.1f}" fill="{colour}" {extra}/>'


def interval(scale: Scale, low: float, high: float, y: float, colour: str) -> str:
    """Return a horizontal interval; nothing where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f'<path d="M{scale(low):.1f} {y:.1f}L{scale(high):.1f} {y:.1f}" stroke="{colour}" stroke-width="2.5"/>'


def horizontal_axis(scale: Scale, y: float, most: int = 5) -> str:
    """Return ticks and their numbers under a drawing."""
    marks = [line(scale.start, y, scale.end, y, 'stroke-opacity=".35"')]
    for tick in scale.ticks(most):
        marks += [line(scale(tick), y, scale(tick), y + 4, 'stroke-opacity=".35"')]
        marks += [text(scale(tick), y + 11, f"{tick:g}", "middle", 'fill-opacity=".75"')]
    return "".join(marks)


def vertical_axis(scale: Scale, x: float, most: int = 4) -> str:
    """Return ticks and their numbers at the left of a drawing."""
    marks = [line(x, scale.start, x, scale.end, 'stroke-opacity=".35"')]
    for tick in scale.ticks(most):
        marks += [line(x - 4, scale(tick), x, scale(tick), 'stroke-opacity=".35"')]
        marks += [text(x - 6, scale(tick), f"{tick:g}", "end", 'fill-opacity=".75"')]
    return "".join(marks)


def left_of(names: Iterable[str]) -> float:
    """Return how much room names need at the left of a drawing."""
    return 10 + CHARACTER * max((len(name) for name in names), default=0)
