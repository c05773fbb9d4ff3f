"""From measured arrays to results: values, intervals, differences, and the description of models and data."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, fields, is_dataclass

import numpy as np

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation.bootstrap import bootstrap, estimate, without_spread
from sparsescope.evaluation.executor import Setting
from sparsescope.evaluation.measure import Results
from sparsescope.evaluation.plan import Plan
from sparsescope.evaluation.settings import Settings
from sparsescope.metrics.base import Metric
from sparsescope.results import (
    BenchmarkInfo,
    Difference,
    ImageSetInfo,
    LayerInfo,
    MetricResult,
    MetricValue,
    ModelInfo,
    SparsityInfo,
    plain,
)
from sparsescope.units import Estimate, FloatArray, Units

__all__ = ["benchmark_info", "metric_results", "model_infos"]


def metric_results(settings: Settings, plan: Plan, results: Results, setting: Setting) -> tuple[MetricResult, ...]:
    """Return the result of every metric: reductions, paired bootstrap, details."""
    names = [classifier.name for classifier in setting.classifiers]
    units: list[dict[str, Units]] = []
    reasons: list[dict[str, str]] = []
    for metric in settings.metrics:
        found, missing = _units(metric, plan, results, setting, names)
        units.append(found)
        reasons.append(missing)
    replicates = bootstrap(list(zip(settings.metrics, units, strict=True)), settings.replicates, setting.seed)
    same = {name for name, print_ in zip(names, results.fingerprints, strict=True) if print_ == results.fingerprints[0]}
    return tuple(
        _result(metric, settings, names, found, draws, missing, same)
        for metric, found, draws, missing in zip(settings.metrics, units, replicates, reasons, strict=True)
    )


def _units(
    metric: Metric, plan: Plan, results: Results, setting: Setting, names: Sequence[str]
) -> tuple[dict[str, Units], dict[str, str]]:
    """Units of every model that could be measured, and the reasons of the others."""
    if metric.name in plan.reasons:
        return {}, dict.fromkeys(names, plan.reasons[metric.name])
    found: dict[str, Units] = {}
    missing: dict[str, str] = {}
    wanted = metric.measurements(setting.benchmark)
    for index, name in enumerate(names):
        failed = [results.reasons[model][m] for m in wanted for model in (index, 0) if m in results.reasons[model]]
        if failed:
            missing[name] = failed[0]
        else:
            found[name] = metric.units(results.measured[index], results.measured[0], setting.benchmark)
    return found, missing


def _result(
    metric: Metric,
    settings: Settings,
    names: Sequence[str],
    units: Mapping[str, Units],
    replicates: Mapping[str, FloatArray],
    reasons: Mapping[str, str],
    same: Set[str],
) -> MetricResult:
    """One metric's result; `same` names the models that are the dense one, bit for bit."""
    values = {name: metric.value(rows) for name, rows in units.items()}
    debiased = {name: float(np.asarray(metric.debiased(rows, rows.uniform_weights()))) for name, rows in units.items()}
    estimates = {
        name: estimate(
            value,
            replicates[name],
            units[name],
            confidence=settings.confidence,
            kind=metric.interval,
            bounds=metric.bounds,
            debiased=debiased[name],
        )
        for name, value in values.items()
        if np.isfinite(value)
    }
    reasons = {name: reasons.get(name, "nothing was left to measure") for name in names if name not in estimates}
    margin = settings.margins[metric.name]
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
        values={name: _value(estimates.get(name), reasons.get(name)) for name in names},
        differences={
            name: _difference(metric, settings, names[0], name, estimates, debiased, units, replicates, same)
            for name in names[1:]
        },
        details={name: plain(metric.details(rows)) for name, rows in units.items() if name in estimates},
        replicates=settings.replicates,
    )


def _options(metric: Metric) -> dict[str, object]:
    if not is_dataclass(metric):
        return {}
    options: dict[str, object] = {item.name: plain(getattr(metric, item.name)) for item in fields(metric)}
    return options


def _value(found: Estimate | None, reason: str | None) -> MetricValue:
    if found is None:
        return MetricValue(status="not evaluated", reason=reason)
    return MetricValue(
        status="measured",
        value=found.value,
        interval=found.interval,
        standard_error=found.standard_error,
        n=found.n,
    )


def _difference(
    metric: Metric,
    settings: Settings,
    dense: str,
    candidate: str,
    estimates: Mapping[str, Estimate],
    debiased: Mapping[str, float],
    units: Mapping[str, Units],
    replicates: Mapping[str, FloatArray],
    same: Set[str],
) -> Difference:
    if dense not in estimates or candidate not in estimates:
        return Difference()
    value, centre = estimates[candidate].value - estimates[dense].value, debiased[candidate] - debiased[dense]
    found = estimate(
        value,
        replicates[candidate] - replicates[dense],
        units[candidate],
        confidence=settings.confidence,
        kind=metric.interval,
        debiased=centre,
    )
    low, high = metric.bounds
    if found.standard_error == 0 and candidate not in same and low is not None and high is not None:
        found = without_spread(found, min(units[candidate].strata.values()), high - low, settings.confidence)
    return Difference(
        value=value,
        interval=found.interval,
        standard_error=found.standard_error,
        debiased=None if centre == value else centre,
    )


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


def model_infos(classifiers: Sequence[Classifier], metrics: Sequence[MetricResult]) -> tuple[ModelInfo, ...]:
    """Describe the models, with what was noticed while reading and measuring them."""
    infos = []
    for index, classifier in enumerate(classifiers):
        sparsity = classifier.sparsity
        warnings = (*classifier.warnings, *_chance_warning(classifier.name, metrics))
        infos.append(
            ModelInfo(
                name=classifier.name,
                role="candidate" if index else "dense",
                path=classifier.origin.path,
                sha256=classifier.origin.sha256,
                architecture=classifier.origin.architecture or type(classifier.module).__qualname__,
                parameters=sparsity.parameters,
                nonzero=sparsity.nonzero,
                sparsity=SparsityInfo(
                    prunable=sparsity.prunable,
                    total=sparsity.total,
                    layers=tuple(LayerInfo(**asdict(layer)) for layer in sparsity.layers),
                ),
                warnings=warnings,
            )
        )
    return tuple(infos)


def _chance_warning(name: str, metrics: Sequence[MetricResult]) -> tuple[str, ...]:
    """Say so when a model is no better than chance: wrong normalisation or label order, or a collapsed network."""
    accuracy = next((metric for metric in metrics if metric.name == "accuracy"), None)
    if accuracy is None or accuracy.values[name].value is None:
        return ()
    classes = accuracy.details.get(name, {}).get("classes")
    value, error = accuracy.values[name].value, accuracy.values[name].standard_error or 0.0
    if classes and value is not None and value - 2 * error <= 1 / classes:
        return (
            f"accuracy {value:.1%} is at the level of chance for {classes} classes: a collapsed network, or wrong "
            "--mean/--std, or labels in another order",
        )
    return ()
