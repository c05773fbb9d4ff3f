"""Everything the page of a sweep shows, as texts: HTML and Markdown say the same."""

from collections.abc import Sequence
from typing import Any

from sparsescope.curves import READINGS, SweepSummary
from sparsescope.curves.records import SMALL, CurvePoint, MetricFacts, Reading, Spread, TwinRow
from sparsescope.plots.extreme_sparsities import extreme_text
from sparsescope.plots.pass_ranges import runs_text
from sparsescope.plots.sweep_curves import drawable_metrics
from sparsescope.plots.sweep_style import SMALL_LABEL, percent_removed
from sparsescope.reporting.format import NumberFormat, count, percent
from sparsescope.reporting.reading import how_to_read
from sparsescope.reporting.sweep.failures import FailedNetwork
from sparsescope.reporting.sweep.notes import sweep_reading, sweep_warnings
from sparsescope.results import DIMENSIONS, Evaluation, Sweep

__all__ = ["sweep_view"]

LABELS: dict[Reading, str] = {"margins": "By margins", "paper": "As the paper"}


def sweep_view(
    sweep: Sweep,
    summary: SweepSummary,
    evaluations: Sequence[Evaluation],
    failures: Sequence[FailedNetwork] = (),
) -> dict[str, Any]:
    """Return what the templates show of a sweep."""
    return {
        "name": summary.name,
        "version": sweep.version,
        "readings": [{"name": reading, "label": LABELS[reading]} for reading in READINGS],
        "partial": summary.partial,
        "warnings": sweep_warnings(summary, evaluations, failures),
        "ranges": [
            {"method": method, "cells": [_range(summary, method, reading) for reading in READINGS]}
            for method in summary.methods
        ],
        "extremes": {reading: _extremes(summary, reading) for reading in READINGS} if summary.judged else {},
        "extreme_columns": [summary.metrics[name].result.label for name in summary.judged],
        "dimensions": {
            name: [_curves(summary, metric) for metric in drawable_metrics(summary, name)]
            for name in DIMENSIONS
            if drawable_metrics(summary, name)
        },
        "sparsities": [
            percent_removed(point.target or 0.0)
            for point in next((curve.points for row in summary.curves.values() for curve in row.values()), ())
        ],
        "twins": [_twin(summary, method) for method in summary.twins],
        "reading": [
            *({"label": label, "text": text} for label, text in sweep_reading(summary)),
            *({"label": facts.result.label, "text": how_to_read(facts.result)} for facts in summary.metrics.values()),
        ],
        "trained": [
            {
                "method": SMALL_LABEL if method == SMALL else method,
                "recipe": how.recipe,
                "epochs": count(how.epochs) + (f", from epoch {how.first} on" if how.first else ""),
            }
            for method, how in summary.trained.items()
        ],
        "facts": _facts(sweep, summary, evaluations),
    }


def _range(summary: SweepSummary, method: str, reading: Reading) -> dict[str, str]:
    found = summary.ranges[method][reading]
    first = next((point for point in found.points if point.outcome != "pass"), None)
    labels = [summary.metrics[name].result.label for name in first.because] if first else []
    word = {"fail": "FAIL", "inconclusive": "not decided"}.get(first.outcome, "not evaluated") if first else ""
    shown = ", ".join(labels) if len(labels) < len(summary.judged) or len(labels) < 3 else "every metric"
    return {
        "range": runs_text(found),
        "outcome": "pass" if found.runs else "none",
        "then": f"at {percent_removed(first.sparsity)} %: {word} ({shown})" if first else "up to the end of the grid",
    }


def _extremes(summary: SweepSummary, reading: Reading) -> list[dict[str, Any]]:
    rows = []
    for method in summary.methods:
        found = [summary.curves[method][name].extremes[reading] for name in summary.judged]
        found.append(summary.ranges[method][reading].extreme)
        lowest = min(point.sparsity for point in summary.curves[method][summary.judged[0]].points)
        rows.append({"method": method, "cells": [extreme_text(extreme, lowest) for extreme in found]})
    return rows


def _curves(summary: SweepSummary, metric: str) -> dict[str, Any]:
    """Return the table behind a metric's curves: a row for every method, a cell for every sparsity."""
    facts = summary.metrics[metric]
    written = NumberFormat.of(facts.result, facts.dense_model)
    judged = facts.result.in_verdict
    rows = [
        {
            "method": method,
            "cells": [_cell(written, point, judged) for point in summary.curves[method][metric].points],
        }
        for method in summary.methods
    ]
    small = summary.small.get(metric)
    return {
        "label": facts.result.label,
        "arrow": "↑" if facts.result.higher_is_better else "↓",
        "unit": written.unit,
        "dense": _spread(written, facts.dense),
        "small": _cell(written, small, judged) if small else None,
        "rows": rows,
    }


def _cell(written: NumberFormat, point: CurvePoint, judged: bool) -> dict[str, str]:
    return {
        "value": _spread(written, point.value),
        "outcome": point.outcomes["margins"].replace(" ", "-") if judged else "none",
        "word": _letters(point) if judged and point.value.n else "",
        "reason": point.reason,
        "errors": _errors(written, point) if judged else "",
    }


def _errors(written: NumberFormat, point: CurvePoint) -> str:
    """Return the standard errors of the mean difference by what causes them; empty where they are not known."""
    if point.of_trainings is None or point.of_images is None:
        return ""
    return f"s.e. {written.number(point.of_trainings)} of trainings, {written.number(point.of_images)} of images"


def _letters(point: CurvePoint) -> str:
    """Return both outcomes in short: by margins / as the paper."""
    short = {"pass": "pass", "fail": "fail", "inconclusive": "open", "not evaluated": "–"}
    return " / ".join(short[point.outcomes[reading]] for reading in READINGS)


def _spread(written: NumberFormat, found: Spread) -> str:
    if found.mean is None:
        return "–"
    return written.number(found.mean) + (f" ± {written.number(found.sd)}" if found.sd is not None else "")


def _twin(summary: SweepSummary, method: str) -> dict[str, Any]:
    twin = summary.twins[method]
    rows = [_twin_row(summary.metrics[row.metric], row) for row in twin.rows if summary.metrics[row.metric].evaluated]
    return {
        "method": method,
        "sparsity": f"{percent_removed(twin.sparsity)} %",
        "parameters": f"{count(round(twin.ticket_parameters))} non-zero parameters; {SMALL_LABEL}: "
        f"{count(round(twin.twin_parameters))}",
        "better": ", ".join(row["label"] for row in rows if row["better"] == "ticket"),
        "worse": ", ".join(row["label"] for row in rows if row["better"] == SMALL_LABEL),
        "rows": rows,
    }


def _twin_row(facts: MetricFacts, row: TwinRow) -> dict[str, str]:
    written = NumberFormat.of(facts.result, facts.dense_model)
    better = "" if row.better is None else ("ticket" if row.better else SMALL_LABEL)
    sd = f" ± {written.number(row.difference.sd)}" if row.difference.sd is not None else ""
    return {
        "label": facts.result.label,
        "arrow": "↑" if facts.result.higher_is_better else "↓",
        "unit": written.unit,
        "ticket": _spread(written, row.ticket),
        "twin": _spread(written, row.twin),
        "difference": "–" if row.difference.mean is None else f"{written.signed(row.difference.mean)}{sd}",
        "better": better,
    }


def _facts(sweep: Sweep, summary: SweepSummary, evaluations: Sequence[Evaluation]) -> dict[str, str]:
    benchmarks = dict.fromkeys(f"{each.benchmark.name} ({each.benchmark.fingerprint})" for each in evaluations)
    return {
        "Recipe": summary.name,
        "Methods": ", ".join([*summary.methods, *([SMALL_LABEL] if summary.small else [])]),
        "Seeds": ", ".join(map(str, summary.seeds)),
        "Networks": f"{count(len(sweep.points))} evaluated, {count(len(summary.missing))} missing",
        "Benchmark": ", ".join(benchmarks),
        "Preset": ", ".join(dict.fromkeys(each.preset for each in evaluations)),
        "Confidence": percent(summary.confidence).replace(".0 %", " %"),
        "Created": sweep.created,
        "sparsescope": sweep.version,
    }
