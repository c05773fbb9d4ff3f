"""The LTH-PASS verdict: does a sparse model match its dense parent in every aspect, to within stated margins?

Each metric is a non-inferiority test: with D the difference oriented so that positive is better for the candidate and
margin m > 0, PASS if the confidence interval of D lies above -m, FAIL if it lies below, else INCONCLUSIVE. "All must
pass" is an intersection-union test: the whole verdict has the level of each test, without correction (Berger 1982).
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import NormalDist

from sparsescope.proportions import units_for_margin
from sparsescope.results import LookTaken, MetricResult, MetricVerdict, Outcome, Pair, PaperVerdict, Verdict

__all__ = [
    "CONSTANT",
    "GATES",
    "IDENTICAL",
    "POWER",
    "absolute_margin",
    "combine",
    "decide",
    "gate_missed",
    "is_evaluated",
    "judge",
    "judge_as_paper",
    "judged_interval",
    "oriented_interval",
    "rounded_up",
]

PAPER_ACCURACY_DROP = 0.01
ROUNDING = 1e-12  # 0.90 - 0.91 is a hair below -0.01 in floating point: a difference equal to the margin passes
POWER = 0.8
"""Chance with which the number of units that is told would do."""
MOST = 1000
"""Times the units that there are: beyond it no number is told."""
CONSTANT = "it gives every image the same answer"
NOT_FURTHER = "the verdict is a FAIL without more"
IDENTICAL = "weights and preprocessing are those of dense, bit for bit"
NARROW = 0.25  # a FAIL is narrow if its interval is nearer to the margin than this fraction of its width

GATES: dict[str, frozenset[Outcome]] = {
    "none": frozenset(),
    "fail": frozenset({"fail"}),
    "inconclusive": frozenset({"fail", "inconclusive"}),
}
"""Gate of a pipeline -> the outcomes of a verdict by which it is not met."""


def gate_missed(gate: str, verdicts: Mapping[str, Verdict]) -> list[str]:
    """Return the candidates that do not meet a gate; one of whose verdict nothing was evaluated has not been shown to.

    Example:
        >>> from sparsescope.verdict import gate_missed
        >>> gate_missed("fail", {})
        []
    """
    missed = GATES[gate]
    return [
        name
        for name, verdict in verdicts.items()
        if verdict.outcome in missed or (missed and not is_evaluated(verdict))
    ]


def is_evaluated(verdict: Verdict) -> bool:
    """Return whether a verdict rests on any metric."""
    return any(metric.outcome != "not evaluated" for metric in verdict.metrics.values())


def judge(metric: MetricResult, pair: Pair, confidence: float, advice: str | None = None) -> MetricVerdict:
    """Return the outcome of one metric for one pair; `advice`: what would decide it, where that is not n alone.

    Example:
        >>> from sparsescope.results import Difference, MetricResult, MetricValue, Pair
        >>> from sparsescope.verdict import judge
        >>> same = {name: MetricValue(status="measured", value=0.9, n=1000) for name in ("dense", "sparse")}
        >>> wide = {"sparse": Difference(value=0.0, interval=(-0.02, 0.02), standard_error=0.01)}
        >>> accuracy = MetricResult.model_construct(
        ...     higher_is_better=True, margin=0.01, margin_kind="absolute", values=same, differences=wide
        ... )
        >>> judge(accuracy, Pair(dense="dense", candidate="sparse"), 0.95).outcome
        'inconclusive'
    """
    dense, candidate = pair.dense, pair.candidate

    def outcome(result: Outcome, reason: str | None = None) -> MetricVerdict:
        return MetricVerdict(outcome=result, margin=metric.margin, margin_kind=metric.margin_kind, reason=reason)

    for model in (dense, candidate):
        if metric.values[model].status != "measured":
            return outcome("not evaluated", metric.values[model].reason)
    difference = metric.differences[candidate]
    if difference.value is None:
        return outcome("not evaluated", "the difference is not defined")
    if difference.interval is None:
        return outcome("inconclusive", f"no interval: too few units (n = {metric.values[candidate].n})")
    n = metric.values[candidate].n or 0
    confidence = difference.look.level if difference.look else confidence
    if _too_few(n, confidence):
        return outcome("inconclusive", f"n = {n}; too few units for an interval that decides anything")
    low, high = judged_interval(metric, pair)
    if difference.undecided is not None:
        return outcome("inconclusive", f"n = {n}; {difference.undecided}")
    early = _early(difference.look)
    if low >= -ROUNDING:
        return outcome("pass", early)
    if high < -ROUNDING:
        narrowly = f"narrowly; n = {n}" if -high < NARROW * (high - low) else None
        return outcome("fail", early or narrowly)  # who stops as soon as it is decided always stops narrowly
    if early:
        return outcome("inconclusive", f"{early}; {NOT_FURTHER}")
    return outcome("inconclusive", f"n = {n}; {advice or _advice(metric, pair, low, confidence, n)}")


def _early(look: LookTaken | None) -> str | None:
    """Return after how many units a metric was stopped, if that is before the last look."""
    if look is None or look.number == look.of:
        return None
    return f"after {look.used:,} of {look.planned:,} units"


def _too_few(n: int, confidence: float) -> bool:
    """Of n units there are C(2n - 1, n) different resamples; an interval needs 2 / alpha of them, 5 units for 95 %."""
    return 0 < n < 40 and math.comb(2 * n - 1, n) * (1 - confidence) < 2


def absolute_margin(metric: MetricResult, dense: str) -> float:
    """Return the margin in the metric's own unit: relative margins are fractions of |dense value|."""
    if metric.margin_kind == "absolute":
        return metric.margin
    return metric.margin * abs(metric.values[dense].value or 0.0)


def judged_interval(metric: MetricResult, pair: Pair) -> tuple[float, float]:
    """Return the interval of the distance from the margin, positive where the candidate matches dense.

    For a relative margin that is `Difference.from_margin`, into which the noise of the dense value enters; in files
    without it, and for an absolute one, the interval of the difference plus the margin.
    """
    difference = metric.differences[pair.candidate]
    if metric.margin_kind == "relative" and difference.from_margin is not None:
        return oriented_interval(metric, difference.from_margin)
    assert difference.interval is not None
    low, high = oriented_interval(metric, difference.interval)
    margin = absolute_margin(metric, pair.dense)
    return low + margin, high + margin


def oriented_interval(metric: MetricResult, interval: tuple[float, float]) -> tuple[float, float]:
    """Return an interval of candidate - dense turned so that positive is better for the candidate."""
    low, high = interval
    return (low, high) if metric.higher_is_better else (-high, -low)


def _advice(metric: MetricResult, pair: Pair, low: float, confidence: float, n: int) -> str:
    """Return how many units would do if there were no difference: what the data say of their spread, and no promise.

    A difference that is measured on few units says little of the one that more would show, so nothing is told of it.
    With h the reach of the judged interval below its centre,

        n' = n ((1 + z_power / z_confidence) h / margin)^2;

    of a share of units, n' is that of the score interval. Source: Chow, Shao & Wang 2008, chapter 3.
    """
    difference, margin = metric.differences[pair.candidate], absolute_margin(metric, pair.dense)
    assert difference.estimate is not None
    if margin == 0:
        return "with a margin of 0 only a better model passes"
    z, z_power = NormalDist().inv_cdf(0.5 + confidence / 2), NormalDist().inv_cdf(POWER)
    if difference.lost is not None and difference.gained is not None and metric.margin_kind == "absolute":
        needed = units_for_margin((difference.lost + difference.gained) / n, margin, z, z_power)
    else:
        centre = (difference.estimate if metric.higher_is_better else -difference.estimate) + margin
        root = (1 + z_power / z) * (centre - low) / margin
        needed = n * root * root
    if needed <= n:
        return "enough if there were no difference: this one is close to the margin"
    if needed > MOST * n:
        return "more than can be told would be needed"
    known = difference.lost == difference.gained == 0  # nothing of the number is estimated
    return f"about {math.ceil(needed) if known else rounded_up(needed):,} would do if there were no difference"


def rounded_up(number: float) -> int:
    """Return a positive number rounded up to two digits: 1,001 becomes 1,100."""
    whole = math.ceil(number)
    step: int = 10 ** max(len(str(whole)) - 2, 0)
    return math.ceil(whole / step) * step


def judge_as_paper(metric: MetricResult, pair: Pair, tolerance: float = 0.0) -> Outcome:
    """Return the paper's reading: accuracy may drop by a point, everything else must be at least as good as dense."""
    difference = metric.differences.get(pair.candidate)
    if difference is None or difference.value is None:
        return "not evaluated"
    allowed = PAPER_ACCURACY_DROP if metric.name == "accuracy" else tolerance
    oriented = difference.value if metric.higher_is_better else -difference.value
    return "pass" if oriented >= -allowed - ROUNDING else "fail"


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of "all must pass": fail if any fails, pass if all pass, else inconclusive.

    Example:
        >>> from sparsescope.verdict import combine
        >>> combine(["pass", "pass"]), combine(["pass", "inconclusive", "fail"])
        ('pass', 'fail')
    """
    found = set(outcomes)
    if "fail" in found:
        return "fail"
    if found == {"pass"}:
        return "pass"
    return "not evaluated" if found <= {"not evaluated"} else "inconclusive"


def decide(
    metrics: Sequence[MetricResult],
    pair: Pair,
    *,
    confidence: float,
    complete: bool,
    policy: str = "margins",
    paper_tolerance: float = 0.0,
    constant: bool = False,
    identical: bool = False,
    doubts: Mapping[str, str] | None = None,
    advice: Mapping[str, str] | None = None,
    known: str = "",
    beyond: Collection[str] = (),
) -> Verdict:
    """Return the verdict over all metrics that are in the verdict.

    Args:
        metrics: results of all metrics; those with `in_verdict` count.
        pair: candidate and dense model.
        confidence: confidence level of the intervals in the results, but for those made at a look.
        complete: whether `metrics` holds every metric of the full verdict; else the verdict is partial.
        policy: name of the policy, for the record.
        paper_tolerance: how much worse than dense the paper's reading allows beside accuracy.
        constant: whether the candidate gives every image the same answer. It then fails, whatever its metrics say:
            nothing is flatter or easier to explain than a network that looks at nothing.
        identical: whether the candidate is the dense model, bit for bit: what could be measured passes, whatever n.
        doubts: metrics whose values cannot be believed for one of the two models, with the reason. They are not
            evaluated in the verdict, so that there is no pass.
        advice: metric -> what would decide it; default: how many units would.
        known: what the statement says of the candidate beside its metrics.
        beyond: metrics that cannot be measured of such models, as another runtime computes them: the verdict is
            partial, and rests on the others.
    """
    doubts, advice = doubts or {}, advice or {}
    complete = complete and not beyond
    known = "; ".join(filter(None, (known, CONSTANT if constant else IDENTICAL if identical else "")))
    judged = {
        metric.name: _not_judged(metric, doubts[metric.name])
        if metric.name in doubts
        else judge(metric, pair, confidence, advice.get(metric.name))
        for metric in metrics
        if metric.in_verdict
    }
    if identical:
        judged = {name: _by_identity(verdict) for name, verdict in judged.items()}
    dimension = {metric.name: metric.dimension for metric in metrics}
    dimensions: dict[str, Outcome] = {
        name: combine(verdict.outcome for metric, verdict in judged.items() if dimension[metric] == name)
        for name in dict.fromkeys(dimension[metric] for metric in judged)
    }
    overall = combine(verdict.outcome for name, verdict in judged.items() if name not in beyond)
    overall = "inconclusive" if overall == "not evaluated" else overall
    if constant:
        overall = "fail"
        judged = {name: _doubted(verdict) for name, verdict in judged.items()}
    paper: dict[str, Outcome] = {
        metric.name: "not evaluated" if metric.name in doubts else judge_as_paper(metric, pair, paper_tolerance)
        for metric in metrics
        if metric.in_verdict
    }
    paper_overall = combine(paper.values())
    return Verdict(
        outcome=overall,
        policy=policy,
        confidence=confidence,
        partial=not complete,
        constant=constant,
        identical=identical,
        statement=_statement(pair, overall, judged, complete, known, beyond),
        dimensions=dimensions,
        metrics=judged,
        paper=PaperVerdict(
            outcome="inconclusive" if paper_overall == "not evaluated" else paper_overall, metrics=paper
        ),
    )


def _not_judged(metric: MetricResult, reason: str) -> MetricVerdict:
    return MetricVerdict(outcome="not evaluated", margin=metric.margin, margin_kind=metric.margin_kind, reason=reason)


def _doubted(verdict: MetricVerdict) -> MetricVerdict:
    """A metric's outcome for a constant candidate: a pass is told of with its reason."""
    return verdict.model_copy(update={"reason": CONSTANT}) if verdict.outcome == "pass" else verdict


def _by_identity(verdict: MetricVerdict) -> MetricVerdict:
    """A metric's outcome for the dense model itself: what was measured passes."""
    passed: dict[str, object] = {"outcome": "pass", "reason": IDENTICAL}
    return verdict if verdict.outcome == "not evaluated" else verdict.model_copy(update=passed)


def _statement(
    pair: Pair,
    outcome: Outcome,
    judged: dict[str, MetricVerdict],
    complete: bool,
    known: str,
    beyond: Collection[str],
) -> str:
    """One line: the verdict and what it rests on; `known` is what is known of the candidate without its metrics."""

    def named(kind: Outcome) -> list[str]:
        return [name for name, verdict in judged.items() if verdict.outcome == kind and name not in beyond]

    word = {"pass": "LTH-PASS" if complete else "PASS", "fail": "FAIL"}.get(outcome, "INCONCLUSIVE")
    parts = [known] if known else []
    if outcome == "pass":
        parts.append(f"{len(named('pass'))} of {len(judged)} metrics match dense within their margins")
    if named("fail"):
        parts.append(f"worse than dense beyond the margin in {', '.join(named('fail'))}")
    if outcome != "fail" and named("inconclusive"):
        parts.append(f"undecided: {', '.join(named('inconclusive'))}")
    if outcome != "fail" and named("not evaluated"):
        parts.append(f"not evaluated: {', '.join(named('not evaluated'))}")
    if not judged:
        parts.append("no metric of the verdict was asked for")
    cause = f"{', '.join(beyond)} cannot be measured of such a model" if beyond else "not every metric was asked for"
    partial = "" if complete else f" (partial verdict: {cause})"
    return f"{pair.candidate}: {word}{partial} — {'; '.join(parts)}"
