"""What kinds of concepts the units of a layer respond to, dense against sparse."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from sparsescope.errors import InputError
from sparsescope.plots.style import INK, colours, new_axes, plain_axes, shortened

__all__ = ["category_shares", "category_shares_height"]


def category_shares_height(shares: Mapping[str, Mapping[str, float]]) -> float:
    """Return how high the plot should be, in inches."""
    bars = sum(max(len(shares), 2) for _ in _categories(shares))
    return 0.9 + 0.14 * bars + 0.1 * len(_categories(shares))


def category_shares(shares: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Draw the share of each model's live units whose best single concept belongs to a category.

    Args:
        shares: model -> category -> share, dense first.
        ax: Axes to draw on; default: those of a new figure.

    Raises:
        InputError: there is no category.
    """
    categories = _categories(shares)
    if not categories:
        raise InputError("Expected the share of at least one category, but got none.")
    ax = ax if ax is not None else new_axes(5.0, category_shares_height(shares))
    colour, thickness = colours(list(shares)), 0.8 / len(shares)
    for number, (model, row) in enumerate(shares.items()):
        places = [place + (number - (len(shares) - 1) / 2) * thickness for place in range(len(categories))]
        values = [row.get(category, 0.0) for category in categories]
        ax.barh(places, values, 0.9 * thickness, color=colour[model], label=shortened(model, 28))
    ax.set_yticks(range(len(categories)), [shortened(category, 20) for category in categories])
    ax.set(ylim=(len(categories) - 0.5, -0.5), xlabel="share of live units")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    plain_axes(ax, grid="x")
    ax.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="lower right")
    return ax


def _categories(shares: Mapping[str, Mapping[str, float]]) -> list[str]:
    """All categories, those first that most units of the models have."""
    total: dict[str, float] = {}
    for row in shares.values():
        for category, share in row.items():
            total[category] = total.get(category, 0.0) + share
    return sorted(total, key=lambda category: (-total[category], category))
