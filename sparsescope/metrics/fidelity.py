"""Fidelity of a local linear explanation."""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from sparsescope.metrics.base import OPTIONS, ScaleFree
from sparsescope.metrics.lime_options import LimeMetric
from sparsescope.results.details import FidelityDetails

__all__ = ["Fidelity"]


@dataclass(frozen=True, config=OPTIONS)
class Fidelity(LimeMetric):
    """How far the linear explanation g_x is from the model around x: mean over images of mean_i (g_x(z_i) - y_i)^2.

    y_i is the probability of the explained class for the perturbed image z_i in N_x; g_x is a weighted ridge regression
    of y on Z, but this mean is unweighted. A model that is never sure scores well, so the details have `fidelity_r2`,
    1 - weighted MSE / weighted variance of y (higher is better). Options: see `LimeMetric`. Source: Chen et al. 2022,
    section 3.3, and their code.
    """

    name: ClassVar[str] = "fidelity"
    label: ClassVar[str] = "Fidelity"
    sentence: ClassVar[str] = (
        "Squared error of a local linear explanation (LIME) against the model it explains. A model that is never sure "
        "scores well, so its scale-free version, R², is shown too."
    )
    labeled: ClassVar[bool] = False
    unit: ClassVar[str] = "squared probability"
    scale_free: ClassVar[ScaleFree] = FidelityDetails.scale_free
