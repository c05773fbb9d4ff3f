"""What fidelity and stability share: their options, their units and the counts the report shows."""

import math
from abc import ABC
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.measurements.explanations import ExplanationOptions, Explanations
from sparsescope.metrics.base import OPTIONS, Dimension, MarginKind, Metric, ScaleFree
from sparsescope.units import FloatArray, Units, weighted_mean

__all__ = ["LimeMetric"]


@dataclass(frozen=True, config=OPTIONS)
class LimeMetric(ExplanationOptions, Metric, ABC):
    """A number read off the local linear explanation of each image, averaged over images.

    The options are those of `ExplanationOptions` and `LimeSettings`. `fidelity` and `stability` with equal options
    share one measurement; with different ones each costs its own forward passes. Images with fewer than 2 superpixels,
    or none that removal changes, are skipped and counted.
    """

    dimension: ClassVar[Dimension] = "interpretability"
    higher_is_better: ClassVar[bool] = False
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, None)
    source: ClassVar[str] = "Chen et al. 2022"
    margin: ClassVar[float] = 0.10
    margin_kind: ClassVar[MarginKind] = "relative"
    nothing_left: ClassVar[str] = (
        "no image has two superpixels, and one that removal changes: images or superpixels are too small or too plain"
    )
    scale_free: ClassVar[ScaleFree]

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Explanations]:
        return (Explanations(**{field.name: getattr(self, field.name) for field in fields(Explanations)}),)

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        """Return sum(w x) / sum(w) over the images that were not skipped; nan where there is none."""
        valid = units["valid"]
        return weighted_mean(units[self.name][valid], weights[..., valid])

    @override
    def details(self, units: Units) -> dict[str, Any]:
        """Return the scale-free version (None where undefined) and the counts of images.

        Images whose probabilities do not move count in the value, where they look perfect, but not in that version.
        """
        valid = units["valid"]
        meaningful = valid & ~units["constant"]
        key = self.scale_free.key
        scale_free = float(weighted_mean(units[key][meaningful], np.ones(int(meaningful.sum()))))
        superpixels = float(weighted_mean(units["superpixels"][valid], np.ones(int(valid.sum()))))
        return {
            key: None if math.isnan(scale_free) else scale_free,
            "images": int(valid.sum()),
            "skipped_images": int((~valid).sum()),
            "constant_images": int((valid & units["constant"]).sum()),
            "singular_images": int(units["singular"].sum()),
            "mean_superpixels": None if math.isnan(superpixels) else superpixels,
        }
