"""Several plots beside each other."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["panels"]


def panels(
    draw: Callable[[str, Axes], object], names: Sequence[str], *, width: float, height: float, columns: int = 3
) -> Figure:
    """Return a figure with `draw(name, ax)` for each name, in rows of up to `columns`.

    Args:
        draw: draws the plot of one model on Axes.
        names: models, in order.
        width: of one panel, in inches.
        height: of one panel, in inches.
        columns: panels in a row.
    """
    columns = min(columns, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    for index, name in enumerate(names):
        draw(name, figure.add_subplot(rows, columns, index + 1))
    return figure
