"""What a reader of a sweep must know beside its numbers: what is missing, what does not compare, how to read it."""

from collections.abc import Sequence

from sparsescope.curves import SweepSummary
from sparsescope.curves.grid import rounded
from sparsescope.curves.records import SMALL
from sparsescope.plots.sweep_style import SMALL_LABEL, percent_removed
from sparsescope.reporting.format import percent
from sparsescope.reporting.notes import comparability
from sparsescope.reporting.sweep.failures import FailedNetwork
from sparsescope.results import Evaluation
from sparsescope.userfiles import object_name

__all__ = ["sweep_reading", "sweep_warnings"]

OFF = 0.005  # how far from the sparsity asked for a ticket may be before it is said


def sweep_warnings(
    summary: SweepSummary, evaluations: Sequence[Evaluation], failures: Sequence[FailedNetwork] = ()
) -> list[str]:
    """Return what is missing and why, what was evaluated nowhere, and what does not compare."""
    found = _missing(summary, failures)
    for name in summary.unevaluated:
        result = summary.metrics[name].result
        reasons = dict.fromkeys(entry.reason for entry in result.values.values() if entry.reason)
        why = f" ({'; '.join(reasons)})" if reasons else ""
        found.append(f"{result.label} was not evaluated{why}: the ranges leave it out.")
    if summary.partial:
        found.append("Not every metric of the full verdict counts here: the ranges are partial, and no LTH-PASS.")
    if len(summary.seeds) == 1:
        found.append("One seed: no standard deviation, and the outcomes hold for these networks, not for the methods.")
    found += _trained_otherwise(summary)
    found += [
        f"{method} at {percent_removed(point.target)} % has {percent_removed(point.sparsity)} % in truth."
        for method, row in summary.curves.items()
        for point in next(iter(row.values())).points
        if point.target is not None and abs(point.sparsity - point.target) > OFF
    ]
    return found + _incomparable(evaluations)


def _trained_otherwise(summary: SweepSummary) -> list[str]:
    """Return which methods have another training than their dense parents."""
    dense = summary.trained.get("dense")
    return [
        f"{method} was trained by the recipe {how.recipe} ({how.epochs} epochs), its dense parents by {dense.recipe} "
        f"({dense.epochs} epochs): the difference to them comes from both pruning and training."
        for method, how in summary.trained.items()
        if dense is not None and (how.recipe, how.epochs) != (dense.recipe, dense.epochs)
    ]


def _missing(summary: SweepSummary, failures: Sequence[FailedNetwork]) -> list[str]:
    """Return the missing networks: seeds of the same point that are missing for the same reason together."""
    why = {(object_name(each.method), rounded(each.target), each.seed): each.reason for each in failures}
    places: dict[tuple[str, float | None, str], list[int]] = {}
    for method, target, seed in summary.missing:
        reason = why.get((method, rounded(target), seed)) or why.get(("dense", None, seed))
        text = f"failed: {reason.rstrip('.')}" if reason else "has not run, or failed"
        places.setdefault((method, target, text), []).append(seed)
    found = []
    for (method, target, text), seeds in places.items():
        who = SMALL_LABEL if method == SMALL else f"{method} at {percent_removed(target or 0.0)} %"
        which = f"seed {', '.join(map(str, seeds))}" if len(seeds) < len(summary.seeds) else "every seed"
        found.append(f"{who}: {which} is missing ({text}).")
    return found


def _incomparable(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return in what evaluations differ; their seed of measurement may follow the seed of training."""
    notes = [note for note in comparability(evaluations) if not note.startswith("Seed ")]
    margins: dict[str, set[tuple[float, str, bool]]] = {}
    for evaluation in evaluations:
        for metric in evaluation.metrics:
            margins.setdefault(metric.label, set()).add((metric.margin, metric.margin_kind, metric.in_verdict))
    differing = [label for label, found in margins.items() if len(found) > 1]
    if differing:
        notes.append(f"Margins or the place in the verdict differ between evaluations: {', '.join(differing)}.")
    return [f"The evaluations were made differently. {note}" for note in notes]


def sweep_reading(summary: SweepSummary) -> list[tuple[str, str]]:
    """Return terms with their explanations, in order."""
    confidence = percent(summary.confidence).replace(".0 %", " %")
    biased = [facts.result.label for facts in summary.metrics.values() if facts.result.is_debiased]
    corrected = f"Of {' and '.join(biased)} it is corrected for most of their bias on few images. " if biased else ""
    tolerance = f" (tolerance {summary.tolerance:g} in each metric’s unit)" if summary.tolerance else ""
    return [
        (
            "By margins",
            f"The difference to the dense parent of the same seed, averaged over seeds, passes if its {confidence} "
            "interval is no worse than minus the metric’s margin, fails if it lies below, and is not decided in "
            "between. The interval covers the draw of the test images and, with several seeds, the chance of training; "
            "with three seeds or more they are evaluated together, and the standard errors (s.e.) say how much of it "
            "either causes: more seeds lower both, more images only the second. "
            f"{corrected}A missing seed decides nothing for the method.",
        ),
        (
            "As the paper",
            "The mean difference alone, without its uncertainty: accuracy may drop by one point, every other metric "
            f"must be at least as good as dense{tolerance}.",
        ),
        (
            "Extreme sparsity",
            "The largest sparsity at which a metric still passes, with all lower ones passing. A pass beyond the first "
            "gap does not count. “≥” says that the next sparsity does not fail: it is not decided, missing, or beyond "
            "the grid. “<” says that the lowest sparsity fails already, “?” that it is not decided, “–” that it was "
            "not evaluated.",
        ),
        (
            "Regions",
            "Region I, solid lines, reaches as far as accuracy’s extreme sparsity: winning tickets in the usual sense. "
            "Region II, dashed, is beyond.",
        ),
        (
            "Pass range",
            "The sparsities at which every metric of the verdict passes at once. With every metric of the full policy "
            "evaluated it is the range of LTH-PASS.",
        ),
        ("±", "One standard deviation over seeds (n − 1 in the divisor): how much trainings differ."),
    ]
