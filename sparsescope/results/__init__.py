"""Results: plain numbers and texts, and their JSON (`sparsescope.evaluation/1`). Everything after the measurements —
verdict, plots, report — reads these and nothing else. No torch.

evaluation  Evaluation: models, metrics with intervals, verdicts; evaluation.json and its schema
records     what it is made of
"""

from sparsescope.results.evaluation import SCHEMA, Evaluation, json_schema
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

__all__ = [
    "SCHEMA",
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
    "PaperVerdict",
    "Radar",
    "SparsityInfo",
    "Verdict",
    "json_schema",
    "plain",
]
