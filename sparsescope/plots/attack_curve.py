"""Accuracy under one gradient-sign step (FGSM) against the size of the step."""

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from sparsescope.errors import InputError
from sparsescope.plots.style import INK, colours, new_axes, plain_axes, shortened
from sparsescope.results import Evaluation
from sparsescope.results.details import FgsmDetails
from sparsescope.results.details.fgsm_accuracy import AttackCurve

__all__ = ["attack_curve", "attack_curves", "grey_levels"]


def attack_curves(evaluation: Evaluation) -> dict[str, AttackCurve]:
    """Return the curve of every model that has one."""
    return {name: found.curve for name, found in evaluation.details(FgsmDetails).items() if found.curve}


def grey_levels(epsilon: float) -> str:
    """Return ε in gray levels of 255, such as `8`."""
    return f"{255 * epsilon:.3g}"


def attack_curve(evaluation: Evaluation, ax: Axes | None = None) -> Axes:
    """Draw the accuracy of all models against ε, with intervals.

    Args:
        evaluation: what to draw.
        ax: Axes to draw on; default: those of a new figure.

    Raises:
        InputError: the evaluation holds no such curve.
    """
    curves = attack_curves(evaluation)
    if not curves:
        raise InputError("Expected the accuracy under FGSM to be measured, but the evaluation has no curve of it.")
    ax = ax if ax is not None else new_axes(6.2, 3.6)
    palette = colours([info.name for info in evaluation.models], evaluation.pairs)
    for name, points in curves.items():
        levels = [255 * epsilon for epsilon in points.epsilon]
        ax.fill_between(levels, points.lower, points.upper, color=palette[name], alpha=0.15, linewidth=0)
        ax.plot(
            levels, points.accuracy, color=palette[name], marker="o", markersize=4, linewidth=1.6,
            label=shortened(name),
        )  # fmt: skip
    every = sorted({epsilon for points in curves.values() for epsilon in points.epsilon})
    ax.set_xticks([255 * epsilon for epsilon in every], [grey_levels(epsilon) for epsilon in every])
    ax.set(ylim=(0, 1), xlim=(0, None), xlabel="step ε, gray levels of 255", ylabel="accuracy")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    plain_axes(ax, grid="both")
    return ax
