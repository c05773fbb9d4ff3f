"""evaluate(): from models and data to an Evaluation with its verdicts."""

import datetime
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sparsescope
from sparsescope.benchmark import Benchmark
from sparsescope.corruptions.stored import open_corrupted
from sparsescope.datasets import open_benchmark, open_probe
from sparsescope.errors import DataError, InputError, OptionError
from sparsescope.evaluation.assemble import benchmark_info, metric_results, model_infos
from sparsescope.evaluation.cache import Cache, default_directory
from sparsescope.evaluation.executor import open_executor
from sparsescope.evaluation.inputs import (
    Model,
    cut_to_task,
    grey_answers,
    is_constant,
    open_models,
    pick_batch_size,
    pick_device,
    raise_together,
    varied_images,
)
from sparsescope.evaluation.jobs import Setting
from sparsescope.evaluation.measure import Progress, measure
from sparsescope.evaluation.plan import make_plan
from sparsescope.evaluation.settings import Settings, read_config, resolve
from sparsescope.metrics.base import Metric
from sparsescope.results import Cost, Evaluation, MetricResult, Pair, Pairs, Verdict
from sparsescope.results.radar import normalise
from sparsescope.verdict import decide

__all__ = ["evaluate"]


def evaluate(
    dense: Model,
    sparse: Model | Sequence[Model],
    benchmark: str | Benchmark,
    *,
    preset: str | None = None,
    metrics: Sequence[str | Metric] | None = None,
    skip: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    ood: Sequence[str] = (),
    corrupted: str | None = None,
    train: str | None = None,
    probe: str | None = None,
    resize: int | None = None,
    crop: int | None = None,
    arch: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output: str | int = "logits",
    seed: int = 0,
    confidence: float | None = None,
    replicates: int | None = None,
    device: str = "auto",
    batch_size: int | str = "auto",
    workers: int = 1,
    cache: bool | str | Path = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure dense and sparse models on one benchmark and judge every sparse one against its dense parent.

    Models are left exactly as they were: weights, modes, gradients, hooks and device.

    Args:
        dense: the dense parent: a path, an nn.Module on normalised images, or a Classifier.
        sparse: one candidate or several; a mask file is applied to the dense model.
        benchmark: a data spec such as `"cifar10:data"`, or a Benchmark.
        preset: `quick`, `standard`, `paper` or `lthpass`; default: the configuration's, else `standard`.
        metrics: names or Metric objects; default: all but those that are measured only on request.
        skip: names of metrics to leave out.
        options: {metric: {option: value}}.
        config: a TOML file, or its content.
        ood: specs of out-of-distribution sets, if `benchmark` is a spec; default: the data set's own, else noise and
            textures. A Benchmark has the sets it holds.
        corrupted: spec of stored corrupted test images, such as `"cifar-c:CIFAR-10-C"`; default: the benchmark's own,
            else they are made on the fly.
        train: spec of the training images, if `benchmark` is a spec.
        probe: spec of the probe set, such as `"broden:DIR"`; default: the benchmark's own; if `benchmark` is a spec,
            else the embedded scenes.
        resize: shorter side in pixels to which images are resized.
        crop: side in pixels of the centre crop.
        arch: architecture spec for model files.
        mean: per-channel mean for models without their own.
        std: per-channel standard deviation for models without their own.
        output: what the networks return; see `Classifier`.
        seed: key of all random numbers, >= 0.
        confidence: level of the intervals.
        replicates: bootstrap replicates.
        device: `auto`, `cpu`, `cuda` or `mps`.
        batch_size: images per forward pass, or `auto`; changes no number beyond float rounding.
        workers: worker processes; changes no number beyond float rounding.
        cache: whether (or in which folder) finished parts are kept, so that a rerun resumes.
        progress: called with (work done, work in all, what is measured).

    Returns:
        the Evaluation; `evaluation.verdict(name)` and `evaluation["ece"].difference(name)` read it.

    Raises:
        InputError: models, data or options that cannot be used; the text says what to do.
    """
    started = time.perf_counter()
    if not 0 <= seed < 2**64 or workers < 1:
        raise OptionError(f"Expected 0 <= seed < 2**64 and workers >= 1, but got seed={seed}, workers={workers}.")
    settings = resolve(
        preset=preset,
        config=read_config(config) if isinstance(config, str | Path) else config,
        options=options,
        metrics=metrics,
        skip=skip,
        confidence=confidence,
        replicates=replicates,
    )
    candidates = sparse if isinstance(sparse, Sequence) and not isinstance(sparse, str) else [sparse]
    if not candidates:
        raise OptionError("Expected at least one sparse model, but got none.")
    classifiers = open_models(dense, candidates, arch=arch, mean=mean, std=std, output=output)
    if isinstance(benchmark, str):
        grey = classifiers[0].channels == 1
        benchmark = open_benchmark(benchmark, ood=ood, train=train, probe=probe, resize=resize, crop=crop, grey=grey)
    elif probe is not None:
        benchmark = replace(benchmark, probe=open_probe(probe, benchmark.test.shape))
    if corrupted is not None:
        benchmark = replace(benchmark, corrupted=open_corrupted(corrupted, benchmark.test))
    classifiers = cut_to_task(classifiers, benchmark)
    chosen = pick_device(device)
    setting = Setting(classifiers, benchmark, seed, pick_batch_size(batch_size, benchmark.test.shape, chosen), chosen)
    constant = _check_models(setting)
    pairs = Pairs.of_one_dense([classifier.name for classifier in classifiers])
    plan = make_plan(settings.metrics, benchmark, seed, pairs)
    results = measure(plan, setting, Cache(_cache_directory(cache)), open_executor(setting, workers), progress)
    judged = metric_results(settings, plan, results, pairs, benchmark, seed)
    return Evaluation(
        version=sparsescope.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        preset=settings.preset,
        seed=seed,
        confidence=settings.confidence,
        environment=_environment(chosen),
        benchmark=benchmark_info(benchmark),
        models=model_infos(classifiers, pairs, judged.warnings),
        pairs=pairs.pairs,
        metrics=judged.metrics,
        verdicts={
            pair.candidate: _verdict(settings, judged.metrics, pair, pair.candidate in constant) for pair in pairs
        },
        radar=normalise(judged.metrics, pairs),
        cost=Cost(
            seconds=time.perf_counter() - started,
            forward_passes=results.passes.forward,
            backward_passes=results.passes.backward,
            cached=results.cached,
        ),
    )


def _check_models(setting: Setting) -> set[str]:
    """Show every model one grey image twice: finite logits, of one width that covers the labels, and the same ones.

    All models that cannot be used are named at once. One that answers at random gets a warning, and one that gives
    every image the same answer too; their names are returned.
    """
    widths, refused, constant = {}, [], set()
    varied = varied_images(setting.benchmark.test)
    for classifier in setting.classifiers:
        try:
            with classifier.prepared(setting.device):
                first, again = grey_answers(classifier, setting.benchmark.test.shape)
                if is_constant(classifier, varied):
                    constant.add(classifier.name)
        except InputError as error:
            refused.append(error)
            continue
        widths[classifier.name] = len(first)
        if not np.allclose(first, again, rtol=1e-3, atol=1e-3):
            classifier.warnings += (
                "answers the same image differently each time: random numbers in its forward pass, such as dropout "
                "that eval mode does not switch off. Its numbers cannot be reproduced.",
            )
    raise_together(refused, len(setting.classifiers), "models")
    if len(set(widths.values())) > 1:
        raise DataError(
            "Expected all models to have the same number of outputs, but got "
            + ", ".join(f"{name}: {width}" for name, width in widths.items())
            + ". Compare models of one task."
        )
    setting.benchmark.check_labels(next(iter(widths.values())))
    for classifier in setting.classifiers:
        if classifier.name in constant:
            classifier.warnings += (
                "gives every image the same answer. Explanations and curvature of such a network look perfect, and say "
                "nothing.",
            )
    return constant


def _verdict(settings: Settings, judged: Sequence[MetricResult], pair: Pair, constant: bool) -> Verdict:
    return decide(
        judged,
        pair,
        confidence=settings.confidence,
        complete=settings.complete,
        policy="margins (customised)" if settings.customised else "margins",
        paper_tolerance=settings.paper_tolerance,
        constant=constant,
    )


def _cache_directory(cache: bool | str | Path) -> Path | None:
    if isinstance(cache, bool):
        return default_directory() if cache else None
    return Path(cache)


def _environment(device: str) -> dict[str, str]:
    packages = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "scikit-learn")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "platform": platform.platform(),
        "threads": str(torch.get_num_threads()),
    }
