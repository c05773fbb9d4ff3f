"""The figures of the procedural probe set: where a shape is, and its parts, in coordinates of its own.

A figure is centred at (0, 0) and reaches to a radius of about 1; u grows to the right
and v downwards, before it is turned.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparsescope.datasets.textures import Field

__all__ = ["FIGURES", "PARTS", "parts", "rim"]

Region = NDArray[np.bool_]

PARTS = ("corner", "end", "hole", "rim", "horizon")
"""What parts there are: of figures by `parts` and `rim`; the horizon belongs to the scene."""

_RIM = 0.7  # where the rim begins, as a fraction of the radius


def _disc(u: Field, v: Field) -> Region:
    return np.hypot(u, v) < 1


def _oval(u: Field, v: Field) -> Region:
    return np.hypot(u, 2 * v) < 1.1


def _square(u: Field, v: Field) -> Region:
    return np.maximum(abs(u), abs(v)) < 0.85


def _triangle(u: Field, v: Field) -> Region:
    return (v < 0.55) & (v > 1.8 * abs(u) - 1.1)


def _cross(u: Field, v: Field) -> Region:
    return (np.minimum(abs(u), abs(v)) < 0.3) & (np.maximum(abs(u), abs(v)) < 1)


def _ring(u: Field, v: Field) -> Region:
    radius = np.hypot(u, v)
    return (radius < 1) & (radius >= 0.55)


def _star(u: Field, v: Field) -> Region:
    """Return a five-pointed star: the radius falls in a straight line from each tip to the notch beside it."""
    angle = np.mod(np.arctan2(u, -v), 2 * np.pi / 5)
    from_tip = np.minimum(angle, 2 * np.pi / 5 - angle)
    notch, tip = 0.45, 1.1
    width = np.pi / 5
    edge = notch * tip * np.sin(width) / (notch * np.sin(width - from_tip) + tip * np.sin(from_tip))
    inside: Region = np.hypot(u, v) < edge
    return inside


def _bar(u: Field, v: Field) -> Region:
    return (abs(u) < 1.15) & (abs(v) < 0.27)


def _crescent(u: Field, v: Field) -> Region:
    return (np.hypot(u, v) < 1) & (np.hypot(u - 0.55, v) >= 0.75)


FIGURES: dict[str, Callable[[Field, Field], Region]] = {
    "disc": _disc,
    "oval": _oval,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    "ring": _ring,
    "star": _star,
    "bar": _bar,
    "crescent": _crescent,
}

_CORNERS = {
    "square": [(s * 0.85, t * 0.85) for s in (-1, 1) for t in (-1, 1)],
    "triangle": [(0.0, -1.1), (-0.917, 0.55), (0.917, 0.55)],
    "star": [(1.1 * np.sin(a), -1.1 * np.cos(a)) for a in 2 * np.pi / 5 * np.arange(5)],
}


def parts(name: str, u: Field, v: Field) -> dict[str, Region]:
    """Return where the parts of a figure are: `corner`, `end` (of arms) and `hole` (a ring's; it is not its own)."""
    region = FIGURES[name](u, v)
    if name in _CORNERS:
        near = np.any([np.hypot(u - x, v - y) < 0.5 for x, y in _CORNERS[name]], axis=0)
        return {"corner": region & near}
    if name == "bar":
        return {"end": region & (abs(u) > 0.75)}
    if name == "cross":
        return {"end": region & (np.maximum(abs(u), abs(v)) > 0.6)}
    if name == "crescent":
        return {"end": region & (abs(v) > 0.6)}
    if name == "ring":
        return {"hole": np.hypot(u, v) < 0.55}
    return {}


def rim(name: str, u: Field, v: Field) -> Region | None:
    """Return the outer band of a figure; None where the figure, made smaller, would not lie within itself."""
    if name in ("ring", "crescent", "bar"):
        return None
    figure = FIGURES[name]
    return figure(u, v) & ~figure(u / _RIM, v / _RIM)
