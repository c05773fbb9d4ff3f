"""A method's means over its pairs, in the form in which the rules that judge one pair judge them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist, fmean

from sparsescope.crossed import larger_designs
from sparsescope.evaluation.assemble import Assembled
from sparsescope.evaluation.judged import Judged
from sparsescope.evaluation.methods import Averaged, averaged
from sparsescope.evaluation.trainings import Trainings
from sparsescope.proportions import units_for_margin
from sparsescope.results import MEAN_DENSE, Difference, MethodMetric, MetricResult, MetricValue, Pair, Pairs, Verdict
from sparsescope.verdict import POWER, absolute_margin, rounded_up

__all__ = ["Means", "count"]


@dataclass(frozen=True)
class Means:
    """Of every metric, the means over a method's pairs.

    Args:
        name: of the method.
        metrics: results of the mean dense model and the method, as if they were one pair.
        averaged: what is known of the mean differences, by metric that is evaluated of all pairs.
        confidence: level of the intervals.
    """

    name: str
    metrics: tuple[MetricResult, ...]
    averaged: Mapping[str, Averaged]
    confidence: float

    @classmethod
    def of(cls, name: str, pairs: Pairs, assembled: Assembled, known: Trainings, confidence: float) -> "Means":
        """Return them for pairs whose trainings are known."""
        found = {
            result.name: _averaged(judged, result, known, confidence)
            for judged, result in zip(assembled.judged, assembled.metrics, strict=True)
            if not _missing(result, pairs)
        }
        metrics = tuple(_mean(name, result, pairs, known, found.get(result.name)) for result in assembled.metrics)
        return cls(name, metrics, found, confidence)

    @property
    def pair(self) -> Pair:
        """The names under which the means are compared."""
        return Pair(dense=MEAN_DENSE, candidate=self.name)

    @property
    def advice(self) -> dict[str, str]:
        """What would decide a metric."""
        found = {
            metric.name: _advice(metric, self.averaged[metric.name], self.pair, self.confidence)
            for metric in self.metrics
            if metric.name in self.averaged
        }
        return {name: text for name, text in found.items() if text}

    def entries(self, verdict: Verdict) -> dict[str, MethodMetric]:
        """Return what evaluation.json has of each metric."""
        return {
            metric.name: _entry(metric, self.name, self.averaged.get(metric.name), verdict) for metric in self.metrics
        }


def _missing(result: MetricResult, pairs: Pairs) -> str:
    """Return why a metric is not evaluated of all pairs; empty where it is."""
    missing = {model: entry for model, entry in result.values.items() if entry.status != "measured"}
    if len(reasons := {entry.reason or "" for entry in missing.values()}) == 1 and len(missing) == len(pairs.models):
        return reasons.pop()
    of_model = [f"{model}: {entry.reason}" for model, entry in missing.items()]
    undefined = [pair.candidate for pair in pairs if result.differences[pair.candidate].value is None]
    return "; ".join(of_model) or (f"the difference of {', '.join(undefined)} is not defined" if undefined else "")


def _averaged(judged: Judged, result: MetricResult, known: Trainings, confidence: float) -> Averaged:
    reduced = {model: each.reduced for model, each in judged.models.items()}
    return averaged(
        judged.metric,
        [[(reduced[pair.candidate], reduced[pair.dense]) for pair in group] for group in known.groups],
        margin=result.margin,
        margin_kind=result.margin_kind,
        confidence=confidence,
    )


def _mean(name: str, result: MetricResult, pairs: Pairs, known: Trainings, found: Averaged | None) -> MetricResult:
    """Return the means over trainings as if they were of one pair, so that the verdict's own rules judge them."""
    sides: dict[str, Callable[[Pair], str]] = {MEAN_DENSE: lambda pair: pair.dense, name: lambda pair: pair.candidate}
    if found is None:
        missing = MetricValue(status="not evaluated", reason=_missing(result, pairs))
        values, difference = dict.fromkeys(sides, missing), Difference()
    else:
        values = {
            side: MetricValue(
                status="measured",
                value=fmean(fmean(result.values[of(pair)].value or 0.0 for pair in group) for group in known.groups),
                n=result.values[of(pairs.pairs[0])].n,
            )
            for side, of in sides.items()
        }
        why = {pair.candidate: result.differences[pair.candidate].undecided for pair in pairs}
        difference = Difference(
            value=found.value,
            interval=found.interval,
            standard_error=found.standard_error,
            debiased=None if found.estimate == found.value else found.estimate,
            from_margin=found.from_margin,
            undecided=next((f"{candidate}: {text}" for candidate, text in why.items() if text), None),
        )
    return result.model_copy(update={"values": values, "differences": {name: difference}, "details": {}})


def _entry(mean: MetricResult, name: str, found: Averaged | None, verdict: Verdict) -> MethodMetric:
    judged, difference = verdict.metrics.get(mean.name), mean.differences[name]
    parts = None if found is None else found.components
    return MethodMetric(
        outcome=judged.outcome if judged else None,
        reason=judged.reason if judged else mean.values[name].reason,
        dense=mean.values[MEAN_DENSE].value,
        candidate=mean.values[name].value,
        value=difference.value,
        estimate=difference.estimate,
        interval=difference.interval,
        standard_error=difference.standard_error,
        variance_trainings=parts.of_trainings if parts else None,
        variance_images=parts.of_images if parts else None,
        from_margin=difference.from_margin,
        undecided=difference.undecided,
        n=mean.values[name].n,
    )


def _advice(mean: MetricResult, found: Averaged, pair: Pair, confidence: float) -> str | None:
    """Return how many trainings, or images, would do if there were no difference, from the interval that judges."""
    parts, margin = found.judged, absolute_margin(mean, pair.dense)
    if parts is None or margin == 0:
        return None
    z, z_power = NormalDist().inv_cdf(0.5 + confidence / 2), NormalDist().inv_cdf(POWER)
    here = count(parts.pairs)
    if not parts.variance:
        needed = math.ceil(units_for_margin(0.0, margin, z, z_power))
        return f"{here}, and none of them differs: about {needed:,} would do if there were no difference"
    pairs, times = larger_designs(parts, margin / (1 + z_power / z), confidence)
    if pairs == parts.pairs:
        return f"{here}, enough if there were no difference: this one is close to the margin"
    more = [] if pairs is None else [f"about {pairs} trainings on these images"]
    more += (
        [] if times is None else [f"n = {rounded_up(times * (mean.values[MEAN_DENSE].n or 0)):,} with these trainings"]
    )
    return f"{here}; {' or '.join(more) or 'more of both'} would do if there were no difference"


def count(trainings: int) -> str:
    """Return a number of trainings in words."""
    return f"{trainings} training{'' if trainings == 1 else 's'}"
