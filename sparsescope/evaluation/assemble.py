"""From measured arrays to results: values, intervals, differences, and the description of models and data."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation.bootstrap import bootstrap
from sparsescope.evaluation.gather import units_of
from sparsescope.evaluation.judged import Judged
from sparsescope.evaluation.measure import Results
from sparsescope.evaluation.plan import Plan
from sparsescope.evaluation.settings import Settings
from sparsescope.macs import count_macs
from sparsescope.results import (
    BenchmarkInfo,
    ImageSetInfo,
    LayerInfo,
    MetricResult,
    ModelInfo,
    NormalizationInfo,
    Pairs,
    SparsityInfo,
)

__all__ = ["benchmark_info", "metric_results", "model_infos"]


@dataclass(frozen=True)
class Assembled:
    """What is estimated of all metrics, their results, and what each warns of, by the models' names."""

    judged: tuple[Judged, ...]
    metrics: tuple[MetricResult, ...]
    noted: Mapping[str, Mapping[str, tuple[str, ...]]]

    def warnings(self, model: str) -> tuple[str, ...]:
        """Return what all metrics warn of a model."""
        return tuple(text for texts in self.noted.values() for text in texts.get(model, ()))


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
    units, missing = [rows for rows, _ in found], [reasons for _, reasons in found]
    replicates = bootstrap(list(zip(settings.metrics, units, strict=True)), settings.replicates, seed, missing)
    judged = tuple(
        Judged.of(metric, settings.confidence, rows, draws, reasons)
        for metric, rows, draws, reasons in zip(settings.metrics, units, replicates, missing, strict=True)
    )
    metrics = tuple(each.result(settings, pairs, identical) for each in judged)
    noted = {
        metric.name: {
            name: found.warnings for name, found in each.models.items() if metric.values[name].value is not None
        }
        for each, metric in zip(judged, metrics, strict=True)
    }
    return Assembled(judged, metrics, noted)


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
    classifiers: Sequence[Classifier],
    pairs: Pairs,
    assembled: Assembled,
    shape: tuple[int, int, int],
    prepacked: Collection[str] = (),
) -> tuple[ModelInfo, ...]:
    """Describe the models, with what was noticed while reading and measuring them, for images of a shape (C, H, W).

    `prepacked`: names of those that a prepacked network answered for.
    """
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
                bytes=classifier.origin.bytes,
                macs=count_macs(classifier, shape),
                forward_only="prepacked" if classifier.name in prepacked else "network",
                normalization=NormalizationInfo(
                    mean=tuple(classifier.mean), std=tuple(classifier.std), source=classifier.origin.normalization
                ),
                sparsity=SparsityInfo(
                    prunable=sparsity.prunable,
                    total=sparsity.total,
                    layers=tuple(LayerInfo(**asdict(layer)) for layer in sparsity.layers),
                ),
                warnings=(*classifier.warnings, *assembled.warnings(classifier.name)),
            )
        )
    return tuple(infos)
