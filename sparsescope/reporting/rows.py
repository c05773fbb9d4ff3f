"""The table of one candidate: what terminal, HTML and Markdown show, as texts."""

from dataclasses import dataclass

from sparsescope.reporting.format import NumberFormat, percent
from sparsescope.results import DIMENSIONS, Evaluation, MetricResult, Outcome
from sparsescope.verdict import absolute_margin

__all__ = ["OUTCOME_WORDS", "Row", "groups", "ordered"]

OUTCOME_WORDS: dict[Outcome, str] = {
    "pass": "PASS",
    "fail": "FAIL",
    "inconclusive": "INCONCLUSIVE",
    "not evaluated": "NOT EVALUATED",
}


@dataclass(frozen=True)
class Row:
    """One metric of one candidate against dense; empty texts where there is nothing to show.

    Args:
        name: metric name.
        label: what people call it.
        arrow: ↑ where higher is better, ↓ where lower is.
        unit: unit of all numbers in the row.
        dense: dense value.
        dense_interval: its interval.
        sparse: candidate value.
        sparse_interval: its interval.
        difference: candidate - dense, with sign.
        difference_interval: its interval.
        margin: how much worse still counts as a match.
        margin_share: the margin as a share of the dense value, where it is relative.
        outcome: by the margins; None for a metric that is not in the verdict.
        paper: by the paper's point estimates; None likewise.
        reason: why it was not evaluated, or what would decide it.
    """

    name: str
    label: str
    arrow: str
    unit: str
    dense: str
    dense_interval: str
    sparse: str
    sparse_interval: str
    difference: str
    difference_interval: str
    margin: str
    margin_share: str
    outcome: Outcome | None
    paper: Outcome | None
    reason: str

    @property
    def margin_text(self) -> str:
        """The margin in one text."""
        share = f"({self.margin_share})" if self.margin and self.margin_share else self.margin_share
        return f"{self.margin} {share}".strip()

    @property
    def outcome_word(self) -> str:
        """The outcome as shown."""
        return OUTCOME_WORDS[self.outcome] if self.outcome else "not in the verdict"

    @property
    def paper_word(self) -> str:
        """The paper's outcome as shown."""
        return OUTCOME_WORDS[self.paper] if self.paper else ""


def ordered(evaluation: Evaluation) -> list[MetricResult]:
    """Return the metrics ordered by dimension."""
    return sorted(evaluation.metrics, key=lambda metric: DIMENSIONS.index(metric.dimension))


def groups(evaluation: Evaluation, candidate: str) -> dict[str, list[Row]]:
    """Return the rows of a candidate by dimension."""
    found: dict[str, list[Row]] = {}
    for metric in ordered(evaluation):
        found.setdefault(metric.dimension, []).append(_row(evaluation, metric, candidate))
    return found


def _row(evaluation: Evaluation, metric: MetricResult, candidate: str) -> Row:
    dense = evaluation.pair(candidate).dense
    written = NumberFormat.of(metric, dense)
    verdict = evaluation.verdict(candidate)
    judged = verdict.metrics.get(metric.name)
    difference = metric.differences[candidate]
    texts = {
        "dense": _value(written, metric, dense),
        "dense_interval": written.interval(metric.values[dense].interval),
        "sparse": _value(written, metric, candidate),
        "sparse_interval": written.interval(metric.values[candidate].interval),
        "difference": "" if difference.value is None else written.signed(difference.value),
        "difference_interval": written.interval(difference.interval, signed=True),
        "margin": "",
        "margin_share": "",
    }
    if judged:
        texts |= _margin(written, metric, dense)
    missing = [value.reason for value in (metric.values[dense], metric.values[candidate]) if value.reason]
    return Row(
        name=metric.name,
        label=metric.label,
        arrow="↑" if metric.higher_is_better else "↓",
        unit=written.unit,
        outcome=judged.outcome if judged else None,
        paper=verdict.paper.metrics.get(metric.name),
        reason=(judged.reason if judged and judged.reason else "; ".join(dict.fromkeys(missing))),
        **texts,
    )


def _value(written: NumberFormat, metric: MetricResult, model: str) -> str:
    value = metric.values[model].value
    return "" if value is None else written.number(value)


def _margin(written: NumberFormat, metric: MetricResult, dense: str) -> dict[str, str]:
    if metric.margin_kind == "absolute":
        return {"margin": written.number(metric.margin)}
    value = metric.values[dense].value
    return {
        "margin": "" if value is None else written.number(absolute_margin(metric, dense)),
        "margin_share": percent(metric.margin).replace(".0 %", " %"),
    }
