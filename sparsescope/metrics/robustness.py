"""What the metrics of iterated attacks show beside the accuracy under attack."""

from typing import Any

from sparsescope.metrics.gradients import without_gradient
from sparsescope.units import Units

__all__ = ["robustness_details"]


def robustness_details(units: Units) -> dict[str, Any]:
    """Return `clean_accuracy`, `fooled` (the share of images right before that the attack turned), and others.

    The others are `images`, how many, and `without_gradient`, the share of those right before without one.

    Args:
        units: with arrays `clean` and `correct` bool (n,): right before and after the attack; and `gradient`.
    """
    clean, after = units["clean"], units["correct"]
    return {
        "clean_accuracy": float(clean.mean()),
        "fooled": float((clean & ~after).sum() / clean.sum()) if clean.any() else None,
        "images": len(units),
        "without_gradient": without_gradient(units),
    }
