"""A method as tables and plots show it: as one pair, of means; and what is said of its trainings."""

import math
from statistics import fmean

from sparsescope.reporting.format import NumberFormat, percent
from sparsescope.reporting.rows import ordered
from sparsescope.results import (
    MEAN_DENSE,
    Difference,
    Evaluation,
    Method,
    MethodMetric,
    MetricResult,
    MetricValue,
    ModelInfo,
    Pair,
    SparsityInfo,
)

__all__ = ["as_one_pair", "method_headline", "uncertainty"]


def as_one_pair(evaluation: Evaluation, name: str) -> Evaluation:
    """Return an evaluation of one pair: the mean of a method's dense models and that of its candidates."""
    method = evaluation.methods[name]
    sparse = [model for model in evaluation.candidates if model.name in method.candidates]
    compared = {evaluation.pair(candidate).dense for candidate in method.candidates}
    dense = [model for model in evaluation.models if model.name in compared]
    return evaluation.model_copy(
        update={
            "models": (_model(MEAN_DENSE, dense), _model(name, sparse)),
            "pairs": (Pair(dense=MEAN_DENSE, candidate=name),),
            "metrics": tuple(
                _metric(metric, name, method.metrics[metric.name])
                for metric in evaluation.metrics
                if metric.name in method.metrics
            ),
            "verdicts": {name: method.verdict},
            "methods": {},
        }
    )


def _model(name: str, models: list[ModelInfo]) -> ModelInfo:
    sparsity = SparsityInfo(
        prunable=fmean(model.sparsity.prunable for model in models),
        total=fmean(model.sparsity.total for model in models),
        layers=(),
    )
    return models[0].model_copy(update={"name": name, "sparsity": sparsity, "warnings": ()})


def _metric(metric: MetricResult, name: str, found: MethodMetric) -> MetricResult:
    values = {
        side: MetricValue(status="not evaluated", reason=found.reason)
        if value is None
        else MetricValue(status="measured", value=value, n=found.n)
        for side, value in ((MEAN_DENSE, found.dense), (name, found.candidate))
    }
    difference = Difference(
        value=found.value,
        interval=found.interval,
        standard_error=found.standard_error,
        debiased=None if found.estimate == found.value else found.estimate,
        from_margin=found.from_margin,
        undecided=found.undecided,
    )
    return metric.model_copy(update={"values": values, "differences": {name: difference}, "details": {}})


def method_headline(name: str, method: Method) -> str:
    """Return a method's verdict in a sentence."""
    mean = f"on average over its {method.trainings} trainings"
    partial = " The verdict is partial: not every metric was asked for." if method.verdict.partial else ""
    if method.outcome == "pass":
        what = "in every metric that was asked for" if method.verdict.partial else "in every metric"
        return f"{name} matches its dense models {what}, to within the margins, {mean}.{partial}"
    if method.outcome == "fail":
        return f"{name} does not match its dense models, {mean}.{partial}"
    if method.outcome == "inconclusive":
        return f"It is not decided whether {name} matches its dense models, {mean}.{partial}"
    return f"{method.verdict.statement}."


def uncertainty(evaluation: Evaluation, name: str) -> list[dict[str, str]]:
    """Return by what a method's numbers are uncertain: standard errors of every metric, and the share of trainings."""
    rows = []
    for metric in ordered(evaluation):
        found = evaluation.methods[name].metrics.get(metric.name)
        if found is None or not found.standard_error:
            continue
        written = NumberFormat.of(metric, evaluation.dense.name)
        parts = (found.standard_error**2, found.variance_trainings or 0.0, found.variance_images or 0.0)
        error, trainings, images = (written.number(math.sqrt(part)) for part in parts)
        row = {"label": metric.label, "unit": written.unit, "error": error, "trainings": trainings, "images": images}
        rows.append({**row, "share": percent(parts[1] / parts[0])})
    return rows
