"""Results: plain numbers and texts, and their JSON (`sparsescope.evaluation/1`). Everything after the measurements —
verdict, plots, report — reads these and nothing else. No torch.

evaluation  Evaluation: models, metrics with intervals, verdicts; evaluation.json and its schema
metric      one metric: facts, values, differences, details
methods     Method: what several pairs say of the method that made them
records     what else it is made of
pairs       Pair, Pairs: which candidate is compared with which dense model
sweep       Sweep: which tickets of a sweep were evaluated, and where; sweep.json
radar       the values of the radar chart
details/    what is read of a metric's details, one file for each metric that has such
base        plain values and numbers that can be shown
reading     a JSON file into a record
agreement   whether the parts of an evaluation belong together
"""

from sparsescope.results.base import Interval, plain
from sparsescope.results.details import Details, ScaleFree
from sparsescope.results.evaluation import SCHEMA, Evaluation, json_schema
from sparsescope.results.methods import MEAN_DENSE, Method, MethodMetric
from sparsescope.results.metric import Difference, MetricResult, MetricValue
from sparsescope.results.pairs import Pair, Pairs
from sparsescope.results.records import (
    DIMENSIONS,
    BenchmarkInfo,
    Cost,
    Dimension,
    ImageSetInfo,
    LayerInfo,
    LookTaken,
    MetricVerdict,
    ModelInfo,
    NormalizationInfo,
    Outcome,
    PaperVerdict,
    Radar,
    SparsityInfo,
    Verdict,
)
from sparsescope.results.sweep import SWEEP_SCHEMA, Sweep, SweepPoint, Trained

__all__ = [
    "DIMENSIONS",
    "MEAN_DENSE",
    "SCHEMA",
    "SWEEP_SCHEMA",
    "BenchmarkInfo",
    "Cost",
    "Details",
    "Difference",
    "Dimension",
    "Evaluation",
    "ImageSetInfo",
    "Interval",
    "LayerInfo",
    "LookTaken",
    "Method",
    "MethodMetric",
    "MetricResult",
    "MetricValue",
    "MetricVerdict",
    "ModelInfo",
    "NormalizationInfo",
    "Outcome",
    "Pair",
    "Pairs",
    "PaperVerdict",
    "Radar",
    "ScaleFree",
    "SparsityInfo",
    "Sweep",
    "SweepPoint",
    "Trained",
    "Verdict",
    "json_schema",
    "plain",
]
