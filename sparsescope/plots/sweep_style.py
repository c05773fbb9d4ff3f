"""What the plots of a sweep share: a look for every method, and the axis of sparsities."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator

from sparsescope.curves.records import SMALL, SweepSummary
from sparsescope.plots.style import CANDIDATES, INK, SEVENTH, shortened

__all__ = ["SMALL_LABEL", "Look", "looks", "method_label", "percent_removed", "remaining", "sparsity_axis"]

MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">")
LEAST = 1e-3  # of the weights: a logarithmic axis has no place for none
SMALL_LABEL = "small dense"


@dataclass(frozen=True)
class Look:
    """Colour and marker of a method: either alone tells it from six others."""

    colour: str
    marker: str


def looks(summary: SweepSummary) -> dict[str, Look]:
    """Return the look of every method, by its place in the sweep, and of the small dense twin."""
    palette = (*CANDIDATES, SEVENTH)
    found = {
        method: Look(palette[i % len(palette)], MARKERS[i % len(MARKERS)]) for i, method in enumerate(summary.methods)
    }
    return {**found, SMALL: Look(INK, "*")}


def method_label(method: str) -> str:
    """Return what a legend calls a method."""
    return SMALL_LABEL if method == SMALL else shortened(method, 22)


def percent_removed(sparsity: float) -> str:
    """Return a sparsity in percent without the sign, such as `48.8`."""
    text = f"{100 * sparsity:.1f}"
    return text.removesuffix(".0") if text not in ("100.0", "0.0") or sparsity in (0, 1) else f"{100 * sparsity:.3f}"


def remaining(sparsity: float) -> float:
    """Return where a sparsity lies on the axis: the fraction of weights that remain."""
    return max(1 - sparsity, LEAST)


def sparsity_axis(ax: Axes, grid: Sequence[float], drawn: Sequence[float] = (), most: int = 8) -> None:
    """Scale x by remaining weights, logarithmically, as the grid 1 - 0.8ⁿ is even there; ticks say what is removed.

    Args:
        ax: Axes to change.
        grid: sparsities asked for, which get ticks.
        drawn: what else must have a place: sparsities in truth.
        most: how many ticks at most.
    """
    places = sorted(set(grid))
    every = -(-len(places) // most) or 1
    shown = places[::-1][::every][::-1]  # thinned out from the sparse end, which matters most
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks([remaining(sparsity) for sparsity in shown], [percent_removed(sparsity) for sparsity in shown])
    ends = [remaining(sparsity) for sparsity in (*places, *drawn)] or [0.5]
    pad = 1.08 if max(ends) == min(ends) else (max(ends) / min(ends)) ** 0.06
    ax.set_xlim(max(ends) * pad, min(ends) / pad)
    ax.set_xlabel("sparsity, % of weights removed")
