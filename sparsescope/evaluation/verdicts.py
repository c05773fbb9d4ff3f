"""The verdicts of an evaluation: on every pair, and on the method whose trainings the pairs are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparsescope.evaluation.assemble import Assembled
from sparsescope.evaluation.checks import Noticed
from sparsescope.evaluation.means import Means, count
from sparsescope.evaluation.settings import Settings
from sparsescope.evaluation.trainings import trainings
from sparsescope.results import Method, MetricResult, Pair, Pairs, Verdict
from sparsescope.verdict import decide

__all__ = ["Judges"]


@dataclass(frozen=True)
class Judges:
    """What decides beside the metrics' numbers.

    Args:
        settings: how is judged.
        pairs: who is compared with whom.
        noticed: by model.
        identical: candidates that are their dense model, bit for bit.
        lacking: by model, why something cannot be measured of its kind.
    """

    settings: Settings
    pairs: Pairs
    noticed: Mapping[str, Noticed]
    identical: Collection[str]
    lacking: Mapping[str, Collection[str]]

    def of_pair(self, pair: Pair, metrics: Sequence[MetricResult]) -> Verdict:
        """Return the verdict on a candidate."""
        return self._decided(
            metrics,
            pair,
            constant=self.noticed[pair.candidate].constant,
            identical=pair.candidate in self.identical,
            doubts=self._doubts(pair),
            beyond=self._beyond(metrics, pair),
        )

    def of_method(self, name: str | None, assembled: Assembled) -> dict[str, Method]:
        """Return the verdict on the method, by its name; nothing where none is judged.

        A candidate that gives every image the same answer fails the method, whatever the others do. Where all
        candidates are their dense models, it passes by identity; else it is not judged with too few trainings.
        """
        if name is None:
            return {}
        candidates = tuple(pair.candidate for pair in self.pairs)
        known, same = trainings(self.pairs), set(candidates) <= set(self.identical)
        too_few = "" if same else known.too_few
        means = Means.of(name, self.pairs, assembled, known, self.settings.confidence)
        constant = [candidate for candidate in candidates if self.noticed[candidate].constant]
        doubts = {metric: reason for pair in self.pairs for metric, reason in self._doubts(pair).items()}
        verdict = self._decided(
            means.metrics,
            means.pair,
            constant=bool(constant),
            identical=same,
            doubts=dict.fromkeys(means.averaged, too_few) if too_few else doubts,
            advice=means.advice,
            beyond=sorted({name for pair in self.pairs for name in self._beyond(assembled.metrics, pair)}),
            known="; ".join([f"on average over {count(len(known.groups))}", *constant]),
        )
        if too_few and not constant:
            verdict = verdict.model_copy(update={"outcome": "not evaluated", "statement": f"{name}: {too_few}"})
        entries = means.entries(verdict)
        method = Method(
            outcome=verdict.outcome,
            candidates=candidates,
            trainings=len(known.groups),
            notes=known.notes,
            metrics=entries,
            verdict=verdict,
        )
        return {name: method}

    def _doubts(self, pair: Pair) -> dict[str, str]:
        """Return why metrics are not judged of a pair."""
        return {
            metric: f"{name} {reason}"
            for name in (pair.candidate, pair.dense)
            for metric, reason in self.noticed[name].doubted(self.settings.metrics).items()
        }

    def _beyond(self, metrics: Sequence[MetricResult], pair: Pair) -> list[str]:
        """Return the metrics that cannot be measured of models of these kinds."""
        return [
            metric.name
            for metric in metrics
            if metric.in_verdict
            and any(metric.values[name].reason in self.lacking[name] for name in (pair.candidate, pair.dense))
        ]

    def _decided(self, metrics: Sequence[MetricResult], pair: Pair, **about: Any) -> Verdict:
        return decide(
            metrics,
            pair,
            confidence=self.settings.confidence,
            complete=self.settings.complete,
            policy="margins (customised)" if self.settings.customised else "margins",
            paper_tolerance=self.settings.paper_tolerance,
            **about,
        )
