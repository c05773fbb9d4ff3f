"""What the metrics of the gradient in the images share: they say nothing of images that have none."""

import abc
from typing import ClassVar

import numpy as np
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import Measured
from sparsescope.metrics.base import Differentiates, Metric
from sparsescope.units import Estimate, Units

__all__ = ["LARGEST_SHARE", "OfGradients", "require_finite", "without_gradient"]

LARGEST_SHARE = 0.10
"""Share of images without gradient beyond which nothing is evaluated: a mean over images, to which they add their 0,
can then be off by the whole margin of the metrics of geometry."""
_TOLD_SHARE = 0.01
"""Share from which on it is said: the margin of the accuracies under attack."""


class OfGradients(Metric, abc.ABC):
    """A metric that follows the gradient of the logits in each image; its units have an array `gradient` bool (n,)."""

    differentiates: ClassVar[Differentiates | None] = "images"

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """NotEvaluated where too many images have no gradient."""
        units = super().units(own, dense, benchmark)
        share = without_gradient(units)
        if share > LARGEST_SHARE:
            raise NotEvaluated(
                f"no gradient on {share:.0%} of the images: it is 0 or not finite, as of a network that rounds, "
                "thresholds or is dead there"
            )
        return units

    @override
    def warnings(self, units: Units, estimate: Estimate) -> tuple[str, ...]:
        share = without_gradient(units)
        told = f"has no gradient on {share:.1%} of the images ({self.label}): they count as robust and flat"
        return (told,) if share > _TOLD_SHARE else ()


def without_gradient(units: Units) -> float:
    """Return the share of images without gradient; of an attack that looks at none that are wrong, of the others."""
    gradient = units["gradient"]
    looked_at = units.arrays.get("clean", np.ones(len(gradient), dtype=bool))
    return float(1 - gradient[looked_at].mean()) if looked_at.any() else 0.0


def require_finite(units: Units, name: str, what: str) -> None:
    """Raise NotEvaluated, with how many of `what` they are, where rows of the array `name` are not finite."""
    array = units[name]
    broken = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    if broken.any():
        raise NotEvaluated(
            f"its second derivatives are not finite for {int(broken.sum())} of {len(array)} {what}, as those of a norm "
            "or a root at 0"
        )
