"""What a reader must know beside the numbers: versions that disagree, what is missing, what cannot be compared."""

from collections.abc import Sequence
from typing import Any

from sparsescope.reporting.format import NumberFormat, count
from sparsescope.results import Evaluation, MetricResult
from sparsescope.results.details import OodDetails
from sparsescope.verdict import CONSTANT

__all__ = [
    "any_fails",
    "comparability",
    "debiased",
    "headline",
    "not_evaluated",
    "out_of_distribution",
    "out_of_distribution_sets",
    "scale_free",
    "until_decided",
    "warnings",
]


def headline(evaluation: Evaluation, candidate: str) -> str:
    """Return a candidate's verdict in a sentence."""
    verdict, dense = evaluation.verdict(candidate), evaluation.pair(candidate).dense
    if verdict.outcome == "pass" and verdict.partial:
        return f"{candidate} matches {dense} in every metric that was asked for (a partial verdict)."
    if verdict.outcome == "pass":
        return f"{candidate} is an LTH-PASS: it matches {dense} in every metric, to within the margins."
    partial = " The verdict is partial: not every metric was asked for." if verdict.partial else ""
    if verdict.outcome == "fail":
        why = f": {CONSTANT}" if verdict.constant else ""
        return f"{candidate} does not match {dense}{why}.{partial}"
    return f"It is not decided whether {candidate} matches {dense}.{partial}"


def warnings(evaluation: Evaluation) -> list[str]:
    """Return what was noticed about models and measurements."""
    found = [f"{model.name}: {warning}" for model in evaluation.models for warning in model.warnings]
    found += [note for metric in evaluation.metrics for note in _metric_warnings(metric)]
    found += [note["text"] for note in scale_free(evaluation) if note["disagrees"]]
    return found


def _metric_warnings(metric: MetricResult) -> list[str]:
    read = {model: metric.read(model) for model in metric.details}
    found = [
        f"{metric.label} of {model}: {note}." for model, details in read.items() if details for note in details.notes()
    ]
    without = [name for name, entry in metric.values.items() if entry.value is not None and entry.interval is None]
    if without:
        found.append(f"{metric.label}: too few units for an interval ({', '.join(without)}).")
    return found


def debiased(evaluation: Evaluation) -> str:
    """Return a sentence on the metrics whose intervals do not lie around the values; empty without such."""
    labels = [metric.label for metric in evaluation.metrics if metric.is_debiased]
    if not labels:
        return ""
    return (
        f"{', '.join(labels)}: values are too large on few images, and not by the same for both models; the "
        "interval of the difference is corrected for that, so it does not lie evenly around sparse − dense."
    )


def until_decided(evaluation: Evaluation) -> str:
    """Return what was saved where measuring went on until it was decided, and what its intervals are; else nothing."""
    cost = evaluation.cost
    if cost.until_decided is None or cost.used_passes is None or not cost.planned_passes:
        return ""
    what = "the verdict was" if cost.until_decided == "verdict" else "each metric was"
    return (
        f"Measured until {what} decided: {count(cost.used_passes)} of {count(cost.planned_passes)} planned passes "
        f"({cost.used_passes / cost.planned_passes:.0%}). Intervals are the wider the earlier a metric was stopped, so "
        f"that all looks at the data together keep the confidence of {100 * evaluation.confidence:g} %."
    )


def any_fails(evaluation: Evaluation, candidate: str) -> str:
    """Return what a FAIL of one metric among several means; empty where there is none such.

    Of k metrics that all lie exactly at their margins one fails with a chance of up to 1 - (1 - alpha / 2)^k.
    """
    verdict = evaluation.verdict(candidate)
    failed = [name for name, entry in verdict.metrics.items() if entry.outcome == "fail"]
    tested = sum(entry.outcome != "not evaluated" for entry in verdict.metrics.values())
    if verdict.constant or not failed or tested < 2:
        return ""
    chance = 1 - (1 - (1 - verdict.confidence) / 2) ** tested
    many = "One metric fails" if len(failed) == 1 else f"{len(failed)} metrics fail"
    return (
        f"{many} of {tested}, and any one that does makes a FAIL: of {tested} metrics that all lie exactly at their "
        f"margins, at least one would fail by chance in up to {chance:.0%} of data sets."
    )


def not_evaluated(evaluation: Evaluation) -> list[dict[str, str]]:
    """Return metrics that were not evaluated, with the models concerned and the reason."""
    found = []
    for metric in evaluation.metrics:
        missing = {name: entry for name, entry in metric.values.items() if entry.status != "measured"}
        for reason in dict.fromkeys(entry.reason or "no reason was given" for entry in missing.values()):
            models = [name for name, entry in missing.items() if (entry.reason or "no reason was given") == reason]
            every = len(models) == len(evaluation.models)
            found.append(
                {"label": metric.label, "models": "all models" if every else ", ".join(models), "reason": reason}
            )
    return found


def scale_free(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return, for each candidate, whether a metric and its scale-free version point the same way.

    A raw squared error rewards an under-confident model: shrinking all probabilities improves it and explains nothing.
    """
    found = []
    for metric in evaluation.metrics:
        for pair in evaluation.pairs:
            before, after = metric.scale_free_value(pair.dense), metric.scale_free_value(pair.candidate)
            change = metric.differences[pair.candidate].value
            if metric.scale_free is None or before is None or after is None or change is None:
                continue
            free_change = after - before
            better = (change > 0) == metric.higher_is_better
            free_better = (free_change > 0) == metric.scale_free.higher_is_better
            disagrees = bool(change and free_change and better != free_better)
            written = NumberFormat.of(metric, pair.dense)
            text = (
                f"{metric.label} of {pair.candidate}: raw and scale-free values "
                f"{'disagree' if disagrees else 'agree'}. Raw {_direction(change, better)} "
                f"({written.with_unit(change)}), "
                f"{metric.scale_free.label} {_direction(free_change, free_better)} ({before:.3f} → {after:.3f})."
            )
            found.append({"text": text, "disagrees": disagrees})
    return found


def _direction(change: float, better: bool) -> str:
    if not change:
        return "is unchanged"
    return "is better than dense" if better else "is worse than dense"


def out_of_distribution(evaluation: Evaluation) -> dict[str, str]:
    """Return score, positive and negative class of the out-of-distribution metric in words; empty if not known."""
    details = next(iter(evaluation.details(OodDetails).values()), OodDetails())
    found = {key: getattr(details, key) for key in ("score", "positive_class", "negative_class")}
    return {key.replace("_", " "): text for key, text in found.items()} if all(found.values()) else {}


def out_of_distribution_sets(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return every out-of-distribution set: name, group, images, and each model's AUROC and FPR at 95 % TPR as text."""
    details = evaluation.details(OodDetails)
    tables = [details[model.name].sets if model.name in details else {} for model in evaluation.models]
    first = next((table for table in tables if table), {})
    return [
        {
            "name": name,
            "group": facts.group,
            "n": count(facts.n),
            "auroc": [f"{table[name].auroc:.4f}" if name in table else "–" for table in tables],
            "fpr95": [f"{table[name].fpr95:.4f}" if name in table else "–" for table in tables],
        }
        for name, facts in first.items()
    ]


def comparability(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return in what several evaluations differ so that their numbers cannot be compared."""
    found = []
    aspects = {
        "Preset": [evaluation.preset for evaluation in evaluations],
        "Seed": [str(evaluation.seed) for evaluation in evaluations],
        "Confidence": [str(evaluation.confidence) for evaluation in evaluations],
        "Version of sparsescope": [evaluation.version for evaluation in evaluations],
        "Benchmark": [
            f"{evaluation.benchmark.name} ({evaluation.benchmark.fingerprint})" for evaluation in evaluations
        ],
    }
    for aspect, values in aspects.items():
        if len(set(values)) > 1:
            found.append(f"{aspect} differs: {', '.join(dict.fromkeys(values))}.")
    shared = [metric.name for metric in evaluations[0].metrics]
    for name in shared:
        results = [metric for evaluation in evaluations for metric in evaluation.metrics if metric.name == name]
        for option in sorted({option for result in results for option in result.options}):
            values = list(dict.fromkeys(repr(result.options.get(option)) for result in results))
            if len(values) > 1:
                found.append(f"{results[0].label}: option {option} differs: {', '.join(values)}.")
    return found
