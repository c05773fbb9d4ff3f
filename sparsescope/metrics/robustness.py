"""What the metrics of iterated attacks show beside the accuracy under attack."""

from typing import Any

from sparsescope.units import Units

__all__ = ["robustness_details"]


def robustness_details(units: Units) -> dict[str, Any]:
    """Return `clean_accuracy`, `fooled` (the share of images right before that the attack turned) and `images`.

    Args:
        units: with arrays `clean` and `correct` bool (n,): right before and after the attack.
    """
    clean, after = units["clean"], units["correct"]
    return {
        "clean_accuracy": float(clean.mean()),
        "fooled": float((clean & ~after).sum() / clean.sum()) if clean.any() else None,
        "images": len(units),
    }
