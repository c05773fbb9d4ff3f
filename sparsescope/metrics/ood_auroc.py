"""Out-of-distribution detection by the maximum softmax probability."""

from typing import Any, ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from sparsescope.benchmark import Benchmark
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import Measured
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Dimension, Metric
from sparsescope.metrics.ranking import auroc, average_precision, false_positive_rate
from sparsescope.softmax import log_max_softmax, log_normaliser
from sparsescope.units import FloatArray, Units

__all__ = ["OodAuroc"]


@dataclass(frozen=True, config=OPTIONS)
class OodAuroc(Metric):
    """Area under the ROC curve of test against out-of-distribution images, the mean over the sets.

    The test images are the positive class; the score is log max_k softmax(f(x))_k in float64, higher for the positive
    class; ties count half. Source: Hendrycks & Gimpel 2017, as used by Chen et al. 2022.
    """

    name: ClassVar[str] = "ood_auroc"
    label: ClassVar[str] = "OoD AUROC"
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "area"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    source: ClassVar[str] = "Hendrycks & Gimpel 2017"
    margin: ClassVar[float] = 0.01

    def measurements(self, benchmark: Benchmark) -> tuple[Predictions, ...]:
        """See `Metric.measurements`."""
        if not benchmark.ood:
            raise NotEvaluated("no out-of-distribution images (give --ood SPEC)")
        return Predictions("test"), *(Predictions(f"ood:{name}") for name in benchmark.ood)

    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Strata `test` and `ood:NAME` of each set. Arrays: `score`, `energy` and `max_logit`, float64 (n,).

        `energy` is the negative energy log sum_k exp(z_k) (Liu et al. 2020): as the others, higher for test images.
        """
        strata, logits = {}, []
        for measurement in self.measurements(benchmark):
            logits.append(own[measurement]["logits"])
            strata[measurement.population] = len(logits[-1])
        return Units(
            strata,
            {
                "score": np.concatenate([log_max_softmax(chunk) for chunk in logits]),
                "energy": np.concatenate([log_normaliser(chunk) for chunk in logits]),
                "max_logit": np.concatenate([chunk.max(axis=1).astype(np.float64) for chunk in logits]),
            },
        )

    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        """See `Metric.reduce`."""
        areas = [self._auroc(units, "score", stratum, weights) for stratum in _ood_strata(units)]
        mean: FloatArray = np.mean(areas, axis=0)
        return mean

    def details(self, units: Units) -> dict[str, Any]:
        """Return sign, positive class and sets in words, and every set's AUROC, AUPR, FPR and other scores' AUROCs.

        `aupr_in` has the test images as the positive class, `aupr_out` the others with the score negated. `fpr95` is
        the share of out-of-distribution images accepted where at least 95 % of the test images are.
        """
        uniform = units.uniform_weights()
        inside = units["score"][units.rows("test")]
        sets = {}
        for stratum in _ood_strata(units):
            outside = units["score"][units.rows(stratum)]
            sets[stratum.removeprefix("ood:")] = {
                "n": len(outside),
                "auroc": float(self._auroc(units, "score", stratum, uniform)),
                "aupr_in": average_precision(inside, outside),
                "aupr_out": average_precision(-outside, -inside),
                "fpr95": false_positive_rate(inside, outside, 0.95),
                "energy_auroc": float(self._auroc(units, "energy", stratum, uniform)),
                "max_logit_auroc": float(self._auroc(units, "max_logit", stratum, uniform)),
            }
        return {
            "score": "log max-softmax, higher = more in-distribution",
            "positive_class": f"in-distribution: {len(inside)} test images",
            "negative_class": "out-of-distribution: "
            + ", ".join(f"{name} ({numbers['n']} images)" for name, numbers in sets.items()),
            "sets": sets,
        }

    def _auroc(self, units: Units, score: str, stratum: str, weights: FloatArray) -> FloatArray:
        inside, outside = units.rows("test"), units.rows(stratum)
        return auroc(units[score][inside], units[score][outside], weights[..., inside], weights[..., outside])


def _ood_strata(units: Units) -> list[str]:
    return [name for name in units.strata if name != "test"]
