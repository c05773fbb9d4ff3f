"""Results: plain numbers and texts, and their JSON (`sparsescope.evaluation/1`). Everything after the measurements —
verdict, plots, report — reads these and nothing else. No torch.

evaluation  Evaluation: models, metrics with intervals, verdicts; evaluation.json and its schema
records     what it is made of
pairs       Pair, Pairs: which candidate is compared with which dense model
sweep       Sweep: which tickets of a sweep were evaluated, and where; sweep.json
radar       the values of the radar chart
"""

from sparsescope.results.evaluation import SCHEMA, Evaluation, json_schema
from sparsescope.results.pairs import Pair, Pairs
from sparsescope.results.records import (
    BenchmarkInfo,
    Cost,
    Difference,
    ImageSetInfo,
    Interval,
    LayerInfo,
    MetricResult,
    MetricValue,
    MetricVerdict,
    ModelInfo,
    Outcome,
    PaperVerdict,
    Radar,
    SparsityInfo,
    Verdict,
    plain,
)
from sparsescope.results.sweep import SWEEP_SCHEMA, Sweep, SweepPoint

__all__ = [
    "SCHEMA",
    "SWEEP_SCHEMA",
    "BenchmarkInfo",
    "Cost",
    "Difference",
    "Evaluation",
    "ImageSetInfo",
    "Interval",
    "LayerInfo",
    "MetricResult",
    "MetricValue",
    "MetricVerdict",
    "ModelInfo",
    "Outcome",
    "Pair",
    "Pairs",
    "PaperVerdict",
    "Radar",
    "SparsityInfo",
    "Sweep",
    "SweepPoint",
    "Verdict",
    "json_schema",
    "plain",
]
