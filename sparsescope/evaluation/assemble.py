"""From measured arrays to results: values, intervals, differences, and the description of models and data."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace

import numpy as np
from pydantic import ValidationError

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import InputError
from sparsescope.evaluation.bootstrap import bootstrap, estimate
from sparsescope.evaluation.differences import Reduced, difference
from sparsescope.evaluation.gather import units_of
from sparsescope.evaluation.measure import Results
from sparsescope.evaluation.plan import Plan
from sparsescope.evaluation.settings import Margin, Settings
from sparsescope.metrics.base import Metric
from sparsescope.results import (
    BenchmarkInfo,
    Difference,
    ImageSetInfo,
    LayerInfo,
    MetricResult,
    MetricValue,
    ModelInfo,
    NormalizationInfo,
    Pair,
    Pairs,
    SparsityInfo,
    plain,
)
from sparsescope.results.reading import explained
from sparsescope.units import Estimate, FloatArray, Units

__all__ = ["benchmark_info", "metric_results", "model_infos"]


@dataclass(frozen=True)
class Assembled:
    """The results of all metrics, and what they warn of, by the models' names."""

    metrics: tuple[MetricResult, ...]
    warnings: Mapping[str, tuple[str, ...]]


def metric_results(
    settings: Settings,
    plan: Plan,
    results: Results,
    pairs: Pairs,
    benchmark: Benchmark,
    seed: int,
    identical: Collection[str] = (),
) -> Assembled:
    """Return the result of every metric: reductions, paired bootstrap, details; and its warnings.

    `identical` names the candidates that are the dense model, bit for bit.
    """
    found = [units_of(metric, plan, results, pairs, benchmark) for metric in settings.metrics]
    units = [rows for rows, _ in found]
    replicates = bootstrap(list(zip(settings.metrics, units, strict=True)), settings.replicates, seed)
    judged = [
        _Judged.of(metric, settings, rows, draws, missing)
        for metric, (rows, missing), draws in zip(settings.metrics, found, replicates, strict=True)
    ]
    warnings = {name: tuple(text for each in judged for text in each.warnings(name)) for name in pairs.models}
    return Assembled(tuple(each.result(settings, pairs, identical) for each in judged), warnings)


@dataclass(frozen=True)
class _Judged:
    """One metric: units with reductions, estimates and reasons of what is missing, by the models' names."""

    metric: Metric
    reduced: Mapping[str, Reduced]
    estimates: Mapping[str, Estimate]
    reasons: Mapping[str, str]

    @classmethod
    def of(
        cls,
        metric: Metric,
        settings: Settings,
        units: Mapping[str, Units],
        replicates: Mapping[str, FloatArray],
        reasons: Mapping[str, str],
    ) -> "_Judged":
        """Return the metric with its estimates; a value that is not finite has none."""
        reduced = {name: Reduced.of(metric, rows, replicates[name]) for name, rows in units.items()}
        estimates = {
            name: estimate(
                found.value,
                found.replicates,
                found.units,
                confidence=settings.confidence,
                kind=metric.interval,
                bounds=metric.bounds,
                debiased=found.debiased,
            )
            for name, found in reduced.items()
            if np.isfinite(found.value)
        }
        return cls(metric, reduced, estimates, reasons)

    def warnings(self, name: str) -> tuple[str, ...]:
        """Return what a model's user should be warned of."""
        return self.metric.warnings(self.reduced[name].units, self.estimates[name]) if name in self.estimates else ()

    def result(self, settings: Settings, pairs: Pairs, identical: Collection[str]) -> MetricResult:
        """Return the metric's result; raises InputError where an evaluation cannot hold what a user's metric gives."""
        try:
            return self._result(settings, pairs, identical)
        except ValidationError as error:
            raise InputError(
                f"The metric {self.metric.name} gives what an evaluation cannot hold: {explained(error.errors()[0])}. "
                "Details are plain numbers, texts, lists and dicts; those of a built-in metric's name follow its type."
            ) from error

    def _result(self, settings: Settings, pairs: Pairs, identical: Collection[str]) -> MetricResult:
        metric, margin = self.metric, self._margin(settings)
        return MetricResult(
            name=metric.name,
            label=metric.label,
            sentence=metric.sentence,
            dimension=metric.dimension,
            unit=metric.unit,
            higher_is_better=metric.higher_is_better,
            source=metric.source,
            options=_options(metric),
            in_verdict=metric.name in settings.in_verdict,
            margin=margin.value,
            margin_kind=margin.kind,
            scale_free=metric.scale_free,
            values={name: self._value(name) for name in pairs.models},
            differences={
                pair.candidate: self._difference(pair, margin, settings.confidence, same=pair.candidate in identical)
                for pair in pairs
            },
            details={name: plain(metric.details(self.reduced[name].units)) for name in self.estimates},
            replicates=settings.replicates,
        )

    def _margin(self, settings: Settings) -> Margin:
        margin = settings.margins[self.metric.name]
        if not margin.default or not self.estimates:
            return margin
        return replace(margin, value=self.metric.default_margin(self.reduced[next(iter(self.estimates))].units))

    def _value(self, name: str) -> MetricValue:
        if (found := self.estimates.get(name)) is None:
            return MetricValue(status="not evaluated", reason=self.reasons.get(name, self.metric.nothing_left))
        return MetricValue(
            status="measured",
            value=found.value,
            interval=found.interval,
            standard_error=found.standard_error,
            n=found.n,
        )

    def _difference(self, pair: Pair, margin: Margin, confidence: float, *, same: bool) -> Difference:
        """Return candidate - dense; `same`: they are one model, bit for bit."""
        if pair.dense not in self.estimates or pair.candidate not in self.estimates:
            return Difference()
        return difference(
            self.metric,
            self.reduced[pair.candidate],
            self.reduced[pair.dense],
            margin=margin.value,
            margin_kind=margin.kind,
            confidence=confidence,
            same=same,
        )


def _options(metric: Metric) -> dict[str, object]:
    if not is_dataclass(metric):
        return {}
    options: dict[str, object] = {item.name: plain(getattr(metric, item.name)) for item in fields(metric)}
    return options


def benchmark_info(benchmark: Benchmark) -> BenchmarkInfo:
    """Describe the benchmark; out-of-distribution sets, and stored corruptions, become parts of one entry each."""
    sets = {
        name: ImageSetInfo(n=len(images), shape=images.shape, source=images.source)
        for name, images in benchmark.sets.items()
        if not name.startswith("ood:")
    }
    if benchmark.ood:
        sets["ood"] = ImageSetInfo(
            n=sum(len(images) for images in benchmark.ood.values()),
            shape=benchmark.test.shape,
            source=", ".join(images.source for images in benchmark.ood.values()),
            parts={name: len(images) for name, images in benchmark.ood.items()},
        )
    if benchmark.corrupted is not None:
        stored = benchmark.corrupted
        parts = {name: len(severities) * len(stored.labels) for name, severities in stored.cells.items()}
        sets["corrupted"] = ImageSetInfo(n=sum(parts.values()), shape=stored.shape, source=stored.source, parts=parts)
    if (probe := benchmark.probe) is not None:
        sets["probe"] = ImageSetInfo(n=len(probe), shape=probe.shape, source=probe.source)
    return BenchmarkInfo(name=benchmark.name, fingerprint=benchmark.fingerprint, classes=benchmark.classes, sets=sets)


def model_infos(
    classifiers: Sequence[Classifier], pairs: Pairs, warnings: Mapping[str, tuple[str, ...]]
) -> tuple[ModelInfo, ...]:
    """Describe the models, with what was noticed while reading and measuring them."""
    infos = []
    for classifier in classifiers:
        sparsity = classifier.sparsity
        infos.append(
            ModelInfo(
                name=classifier.name,
                role="candidate" if pairs.is_candidate(classifier.name) else "dense",
                path=classifier.origin.path,
                sha256=classifier.origin.sha256,
                architecture=classifier.origin.architecture or type(classifier.module).__qualname__,
                architecture_guessed=classifier.origin.guessed,
                parameters=sparsity.parameters,
                nonzero=sparsity.nonzero,
                normalization=NormalizationInfo(
                    mean=tuple(classifier.mean), std=tuple(classifier.std), source=classifier.origin.normalization
                ),
                sparsity=SparsityInfo(
                    prunable=sparsity.prunable,
                    total=sparsity.total,
                    layers=tuple(LayerInfo(**asdict(layer)) for layer in sparsity.layers),
                ),
                warnings=(*classifier.warnings, *warnings[classifier.name]),
            )
        )
    return tuple(infos)
