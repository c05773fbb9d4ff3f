"""The radar chart: every metric an axis, every model a polygon. Source: Chen et al. 2022, Figure 1."""

import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Polygon, Wedge
from matplotlib.path import Path as Outline

from sparsescope.errors import InputError
from sparsescope.files import write_atomically
from sparsescope.plots.radar_bars import radar_bars
from sparsescope.plots.radar_scale import Scale
from sparsescope.plots.style import (
    DIMENSION_COLOURS,
    GRID,
    INK,
    MUTED,
    PAPER,
    colours,
    new_axes,
    png,
    short_number,
    shortened,
    svg,
    top_figure,
)
from sparsescope.results import Evaluation

__all__ = ["radar", "radar_files", "save_radar"]

Point = tuple[float, float]


def radar(evaluation: Evaluation, ax: Axes | None = None) -> Axes:
    """Draw the radar of an evaluation; with fewer than three axes, which span no area, bars instead.

    With two models the radius is the ratio to dense, which is the unit circle, and bands show the intervals; ratios
    beyond the rim are marked by a triangle and written out. With more models, the best on each axis lies on the rim.
    An undefined value is a gap in the polygon.

    Args:
        evaluation: what to draw.
        ax: ordinary (Cartesian) Axes to draw on; default: those of a new figure.

    Raises:
        InputError: no metric was measured on every model.
    """
    if not evaluation.radar.axes:
        raise InputError("Expected at least one verdict metric measured on every model for a radar, but got none.")
    scale = Scale.of(evaluation)
    if len(scale.axes) < 3:
        return radar_bars(evaluation, scale, ax)
    ax = ax if ax is not None else new_axes(7.6, 6.4)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_xlim(-1.72, 1.72)
    _draw_web(ax, scale)
    _draw_labels(ax, evaluation, scale)
    handles = [_draw_model(ax, evaluation, scale, name) for name in scale.values]
    _draw_legend(ax, scale, list(dict.fromkeys(evaluation[name].dimension for name in scale.axes)), handles)
    return ax


def radar_files(evaluation: Evaluation, stem: str = "radar") -> dict[str, bytes]:
    """Return radar.svg and radar.png, or under another stem, by name."""
    figure = top_figure(radar(evaluation))
    return {f"{stem}.svg": svg(figure), f"{stem}.png": png(figure)}


def save_radar(evaluation: Evaluation, directory: str | Path, stem: str = "radar") -> dict[str, Path]:
    """Write radar.svg and radar.png into a folder, or under another stem; returns their paths by name."""
    files = radar_files(evaluation, stem)
    for name, content in files.items():
        write_atomically(Path(directory) / name, content)
    return {name: Path(directory) / name for name in files}


def _at(position: float, count: int, radius: float) -> Point:
    """Return the point on axis `position` of `count`: the first one points up, the others follow clockwise."""
    angle = 2 * math.pi * position / count
    return radius * math.sin(angle), radius * math.cos(angle)


def _draw_web(ax: Axes, scale: Scale) -> None:
    count = len(scale.axes)
    for value, label in scale.rings.items():
        corners = [_at(position, count, scale.radius(value)) for position in range(count)]
        ax.add_patch(Polygon(corners, fill=False, edgecolor=GRID, linewidth=0.8, zorder=1))
        x, y = _at(0.5, count, scale.radius(value) * math.cos(math.pi / count))
        box = {"boxstyle": "round,pad=0.15", "facecolor": PAPER, "linewidth": 0}
        if label:
            ax.text(x, y, label, fontsize=7, color=MUTED, ha="center", va="center", bbox=box, zorder=3.5)
    for position in range(count):
        start, end = _at(position, count, scale.radius(0)), _at(position, count, 1)
        ax.plot(*zip(start, end, strict=True), color=GRID, linewidth=0.8, zorder=1)


def _draw_labels(ax: Axes, evaluation: Evaluation, scale: Scale) -> None:
    count = len(scale.axes)
    for position, name in enumerate(scale.axes):
        metric = evaluation[name]
        undefined = any(values[position] is None for values in scale.values.values())
        x, y = _at(position, count, 1.13)
        label = shortened(metric.label.replace(" Hessian", "\nHessian").replace(" under ", "\nunder "))
        ax.text(
            x,
            y,
            label + ("\n(ratio undefined)" if undefined else ""),
            ha="center" if abs(x) < 0.15 else ("left" if x > 0 else "right"),
            va="center" if abs(y) < 0.9 else ("bottom" if y > 0 else "top"),
            fontsize=9.5,
            color=DIMENSION_COLOURS[metric.dimension],
            fontweight="bold",
        )
        turn = 360 / count
        middle = 90 - turn * position
        ax.add_patch(
            Wedge(
                (0, 0),
                1.07,
                middle - turn * 0.5,
                middle + turn * 0.5,
                width=0.025,
                facecolor=DIMENSION_COLOURS[metric.dimension],
                linewidth=0,
                zorder=2,
            )
        )


def _draw_model(ax: Axes, evaluation: Evaluation, scale: Scale, name: str) -> Line2D:
    colour = colours(list(scale.values), evaluation.pairs)[name]
    dense = name not in {pair.candidate for pair in evaluation.pairs}
    count = len(scale.axes)
    radii = [None if value is None else scale.radius(value) for value in scale.values[name]]
    points = [None if radius is None else _at(i, count, radius) for i, radius in enumerate(radii)]
    if scale.bands and not dense:
        lows = [
            None if band is None else _at(i, count, scale.radius(band[0])) for i, band in enumerate(scale.bands[name])
        ]
        highs = [
            None if band is None else _at(i, count, scale.radius(band[1])) for i, band in enumerate(scale.bands[name])
        ]
        _fill(ax, lows, highs, colour, 0.22)
    elif not dense:
        _fill(ax, [(0.0, 0.0)] * count, points, colour, 0.09)
    gap = (math.nan, math.nan)
    closed = [point or gap for point in (*points, points[0])]
    (line,) = ax.plot(
        *zip(*closed, strict=True),
        color=colour,
        linewidth=1.6 if dense else 2.0,
        linestyle=(0, (4, 2)) if dense else "-",
        marker="" if dense and None not in points else "o",
        markersize=4,
        zorder=3 if dense else 4,
        label=shortened(name),
    )
    for position, value in enumerate(scale.values[name]):
        if value is not None and value > scale.limit:
            _mark_outlier(ax, position, count, value, colour)
    return line


def _mark_outlier(ax: Axes, position: int, count: int, value: float, colour: str) -> None:
    x, y = _at(position, count, 1)
    ax.plot([x], [y], marker=(3, 0, -360 * position / count), markersize=10, color=colour, zorder=5)
    x, y = _at(position, count, 0.87)
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": colour, "linewidth": 0.8}
    ax.text(
        x,
        y,
        f"{short_number(value, '.1f')}×",
        fontsize=8,
        color="#000000",
        ha="center",
        va="center",
        bbox=box,
        zorder=7,
    )


def _fill(ax: Axes, inner: list[Point | None], outer: list[Point | None], colour: str, alpha: float) -> None:
    """Fill between two polygons, side by side, leaving out the sides next to an undefined value."""
    corners = list(zip(inner, outer, strict=True))
    quads = [
        Outline([low, high, next_high, next_low, low], closed=True)
        for (low, high), (next_low, next_high) in zip(corners, corners[1:] + corners[:1], strict=True)
        if low and high and next_low and next_high
    ]
    if quads:
        # One path, so that neighbours leave no seam between them.
        ax.add_patch(
            PathPatch(Outline.make_compound_path(*quads), facecolor=colour, alpha=alpha, linewidth=0, zorder=2)
        )


def _draw_legend(ax: Axes, scale: Scale, dimensions: list[str], handles: list[Line2D]) -> None:
    """Name the models, then the dimensions of the rim, then how to read the radius."""
    rows = 1 + (len(handles) - 1) // 3
    style: dict[str, Any] = {
        "loc": "upper center",
        "frameon": False,
        "borderpad": 0,
        "handlelength": 1.8,
        "columnspacing": 1.6,
    }
    models = ax.legend(
        handles=handles,
        bbox_to_anchor=(0, -1.27),
        bbox_transform=ax.transData,
        ncols=min(len(handles), 3),
        fontsize=9.5,
        labelcolor=INK,
        **style,
    )
    ax.add_artist(models)
    rims = [
        Line2D([], [], color=DIMENSION_COLOURS[name], linewidth=4, solid_capstyle="butt", label=name)
        for name in dimensions
    ]
    bottom = -1.27 - 0.115 * rows
    ax.legend(
        handles=rims,
        bbox_to_anchor=(0, bottom),
        bbox_transform=ax.transData,
        ncols=4,
        fontsize=8.5,
        labelcolor=MUTED,
        **style,
    )
    ax.text(0, bottom - 0.13, scale.caption, ha="center", va="top", fontsize=8.5, color=MUTED)
    ax.set_ylim(bottom - 0.24, 1.36)
