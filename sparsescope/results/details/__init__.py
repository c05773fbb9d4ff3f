"""Details: what plots and reports read of a metric beside its value, one file for each metric that has such. No torch.

A metric returns its details as a plain dict; every `MetricResult` holds them against the class below, when it is made
and when a file is loaded, so that whoever reads them need not ask whether they are there or of what kind. Details of
other metrics are shown as they are.

accuracy          who changed sides, in total and by class
corruption_error  the table corruption × severity
fgsm_accuracy     the curve along the size of the step
ood_auroc         what was compared, and every set
ece               the reliability diagram
lime              fidelity and stability: skipped images, scale-free versions
composition       a layer and its units
weight_trace      layers without effect
"""

from sparsescope.results.details.accuracy import AccuracyDetails
from sparsescope.results.details.base import Details, ScaleFree
from sparsescope.results.details.composition import CompositionDetails
from sparsescope.results.details.corruption_error import CorruptionDetails
from sparsescope.results.details.ece import EceDetails
from sparsescope.results.details.fgsm_accuracy import FgsmDetails
from sparsescope.results.details.lime import FidelityDetails, StabilityDetails
from sparsescope.results.details.ood_auroc import OodDetails
from sparsescope.results.details.weight_trace import WeightTraceDetails

__all__ = [
    "READABLE",
    "AccuracyDetails",
    "CompositionDetails",
    "CorruptionDetails",
    "Details",
    "EceDetails",
    "FgsmDetails",
    "FidelityDetails",
    "OodDetails",
    "ScaleFree",
    "StabilityDetails",
    "WeightTraceDetails",
]

_CLASSES: tuple[type[Details], ...] = (
    AccuracyDetails,
    CorruptionDetails,
    FgsmDetails,
    OodDetails,
    EceDetails,
    FidelityDetails,
    StabilityDetails,
    CompositionDetails,
    WeightTraceDetails,
)
READABLE: dict[str, type[Details]] = {each.metric: each for each in _CLASSES}
"""Metric name -> class of its details."""
