"""evaluate(): open the task, settle what is measured and how it is judged, run it."""

import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sparsescope
from sparsescope.benchmark import Benchmark
from sparsescope.datasets import ClassesBy
from sparsescope.devices import pick_device
from sparsescope.errors import OptionError
from sparsescope.evaluation.assemble import benchmark_info, metric_results, model_infos
from sparsescope.evaluation.carrying_out import carrying_out
from sparsescope.evaluation.checks import Noticed, check_results, check_task, doubted, images_to_show
from sparsescope.evaluation.execution import Execution, environment, pick_batch_size
from sparsescope.evaluation.executor import open_executor
from sparsescope.evaluation.forward_only import prepacked_networks
from sparsescope.evaluation.gather import shared
from sparsescope.evaluation.jobs import Setting
from sparsescope.evaluation.judged import options_of
from sparsescope.evaluation.measure import Progress, Results
from sparsescope.evaluation.models import Model, ModelOptions
from sparsescope.evaluation.plain_data import data_warnings
from sparsescope.evaluation.plan import make_plan
from sparsescope.evaluation.settings import Settings, resolve
from sparsescope.evaluation.task import DataOptions, Task, open_task
from sparsescope.evaluation.trainings import repeated
from sparsescope.evaluation.until_decided import Doubted, UntilDecided
from sparsescope.evaluation.verdicts import Judges
from sparsescope.metrics.base import Metric
from sparsescope.passes import Passes
from sparsescope.results import Cost, Evaluation, Pairs
from sparsescope.results.radar import normalise
from sparsescope.results.records import Until

__all__ = ["evaluate", "evaluate_task"]


def evaluate(
    dense: Model,
    sparse: Model | Sequence[Model],
    benchmark: str | Benchmark | None = None,
    *,
    arch: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output: str | int | None = None,
    weights: str | None = None,
    trust_pickle: bool = False,
    ood: str | Sequence[str] = (),
    corrupted: str | None = None,
    train: str | None = None,
    probe: str | None = None,
    resize: int | None = None,
    crop: int | None = None,
    classes: ClassesBy = "name",
    preset: str | None = None,
    metrics: str | Metric | Sequence[str | Metric] | None = None,
    skip: str | Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    confidence: float | None = None,
    replicates: int | None = None,
    seed: int = 0,
    device: str = "auto",
    batch_size: int | str = "auto",
    workers: int = 1,
    cache: bool | str | Path = True,
    progress: Progress | None = None,
    until_decided: Until | None = None,
) -> Evaluation:
    """Measure dense and sparse models on one benchmark and judge every sparse one against its dense parent.

    Three steps, which can be taken one by one: `open_task` (models and data), `resolve` (what is measured and how it is
    judged), `evaluate_task` (on what it runs). Models are left exactly as they were: weights, modes, gradients, hooks
    and device.

    Args:
        dense: the dense parent: a path, an nn.Module on normalised images, or a Classifier.
        sparse: one candidate or several; a mask file is applied to the dense model.
        benchmark: a data spec such as `"cifar10:data"`, or a Benchmark; default: what the dense checkpoint names.
        arch: architecture spec for model files.
        mean: per-channel mean for models without their own.
        std: per-channel standard deviation for models without their own.
        output: what files and modules return (see `Classifier`); default: candidates what dense does, dense logits.
        weights: which of several state dicts in a model file, such as `"model_ema"`; of the files that have it.
        trust_pickle: whether model files may be whole pickled networks, which can run any code when they are read.
        ood: specs of out-of-distribution sets; default: the data set's own, else noise and textures. A Benchmark has
            the sets it holds.
        corrupted: spec of stored corrupted test images, such as `"cifar-c:CIFAR-10-C"`; default: the benchmark's own,
            else they are made on the fly.
        train: spec of the training images; a Benchmark has its own.
        probe: spec of the probe set, such as `"broden:DIR"`; default: the benchmark's own; if `benchmark` is a spec,
            else the embedded scenes.
        resize: shorter side in pixels to which images are resized; those of a Benchmark have their size.
        crop: side in pixels of the centre crop; likewise.
        classes: how outputs belong to labels: by the `name` of the classes where both sides have some (other names are
            refused), or by their `number` alone.
        preset: `quick`, `standard`, `paper` or `lthpass`; default: the configuration's, else `standard`.
        metrics: names or Metric objects; default: all but those that are measured only on request.
        skip: names of metrics to leave out.
        options: {metric: {option: value}}; those of metrics that are not measured have no effect. A Metric object
            has its own options, and takes only `margin` from here.
        config: a TOML file, or its content.
        confidence: level of the intervals.
        replicates: bootstrap replicates.
        seed: random seed, >= 0.
        device: `auto`, `cpu`, `cuda` or `mps`.
        batch_size: images per forward pass, or `auto`; changes no number beyond float rounding.
        workers: worker processes; changes no number beyond float rounding.
        cache: whether (or in which folder) finished parts are kept, so that a rerun resumes.
        progress: called with (work done, work in all, what is measured).
        until_decided: measure in growing parts of the units, and stop each metric once it is decided (`metrics`), or
            everything once the verdict is (`verdict`: a FAIL ends it); None: measure all.

    Returns:
        the Evaluation; `evaluation.verdict(name)` and `evaluation["ece"].difference(name)` read it.

    Raises:
        InputError: models, data or options that cannot be used, or an option that would have no effect; the text says
            what to do.

    Example:
        >>> import copy, numpy as np, sparsescope as ss
        >>> from torch import nn
        >>> images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1), dtype=np.uint8)
        >>> benchmark = ss.Benchmark("noise", ss.ArrayImages(images, np.arange(200) % 4))
        >>> dense = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
        >>> sparse = copy.deepcopy(dense)
        >>> ss.prune("omp", dense, sparsity=0.75).apply(sparse)
        >>> evaluation = ss.evaluate(dense, [sparse], benchmark, metrics=["accuracy"], cache=False)
        >>> evaluation["accuracy"].difference("sparse").n
        200
    """
    settings = resolve(
        preset=preset,
        config=config,
        options=options,
        metrics=metrics,
        skip=skip,
        confidence=confidence,
        replicates=replicates,
        seed=seed,
        until_decided=until_decided,
    )
    execution = Execution(device, batch_size, workers, cache, progress)
    candidates = sparse if isinstance(sparse, Sequence) and not isinstance(sparse, str) else [sparse]
    if not candidates:
        raise OptionError("Expected at least one sparse model, but got none.")
    sets = (ood,) if isinstance(ood, str) else ood
    task = open_task(
        dense,
        candidates,
        benchmark,
        models=ModelOptions(arch, mean, std, output, weights, trust_pickle),
        images=DataOptions(sets, corrupted, train, probe, resize, crop, classes),
    )
    return evaluate_task(task, settings, execution)


def evaluate_task(task: Task, settings: Settings, execution: Execution | None = None) -> Evaluation:
    """Measure the models of a task, and judge every candidate against dense; see `evaluate`.

    Args:
        task: models and data, from `open_task`.
        settings: what is measured and how it is judged, from `resolve`.
        execution: what it runs on; default: the best device there is, one process, with the cache.

    Raises:
        InputError: models that cannot take the images, or labels that they do not have.
    """
    started, execution = time.perf_counter(), execution or Execution()
    device = pick_device(execution.device)
    batch_size = pick_batch_size(execution.batch_size, task.benchmark.test.shape, device)
    setting = Setting(task.classifiers, task.benchmark, settings.seed, batch_size, device)
    if settings.until_decided is not None and task.method is not None:
        raise OptionError(
            "Expected no until_decided (--until-decided) with pairs of a method, but got both: the verdict on a method "
            "rests on all units. Leave it out."
        )
    for metric in settings.metrics:
        options_of(metric)
    noticed = check_task(task, device, settings.metrics)
    task.dense.warnings += data_warnings(task.benchmark)
    pairs = task.pairs if task.method is None else replace(task.pairs, same_as=repeated(task.classifiers))
    plan = make_plan(settings.metrics, task.benchmark, settings.seed, pairs)
    for classifier in task.classifiers:
        plan.check(classifier)
    networks = prepacked_networks(task.classifiers, plan.tasks, images_to_show(task.benchmark.test), device)
    setting = replace(setting, networks=networks)
    executor = open_executor(setting, execution.workers)
    named = {classifier.name: classifier for classifier in task.classifiers}
    identical = [pair.candidate for pair in pairs if named[pair.candidate].is_same_function(named[pair.dense])]
    until: dict[str, Any] = {}
    with carrying_out(plan, setting, execution.open_cache(), executor, execution.progress) as measuring:
        if settings.until_decided is None:
            results = measuring.all()
            shared(results, pairs)
            judged = metric_results(settings, plan, results, pairs, task.benchmark, settings.seed, identical)
        else:
            doubts = _doubted(task, settings, noticed, pairs)
            stopped = UntilDecided(settings, plan, measuring, pairs, task.benchmark, identical, doubts).run()
            results, judged, until = measuring.results, stopped.judged, stopped.cost()
    check_results(task, results, noticed)
    passes = Passes.total(results.passes.values())
    lacking = {classifier.name: set(classifier.lacks.values()) for classifier in task.classifiers}
    judges = Judges(settings, pairs, noticed, identical, lacking)
    verdicts = {pair.candidate: judges.of_pair(pair, judged.metrics) for pair in pairs}
    return Evaluation(
        version=sparsescope.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        preset=settings.preset,
        seed=settings.seed,
        confidence=settings.confidence,
        environment=environment(device),
        benchmark=benchmark_info(task.benchmark),
        models=model_infos(task.classifiers, pairs, judged, task.benchmark.test.shape, networks),
        pairs=pairs.pairs,
        metrics=judged.metrics,
        verdicts=verdicts,
        methods=judges.of_method(task.method, judged),
        radar=normalise(judged.metrics, pairs),
        cost=Cost(
            seconds=time.perf_counter() - started,
            forward_passes=round(passes.forward),
            backward_passes=round(passes.backward),
            cached=results.cached,
            forward_equivalents=results.cost,
            **until,
        ),
    )


def _doubted(task: Task, settings: Settings, noticed: Mapping[str, Noticed], pairs: Pairs) -> Doubted:
    """Return what tells, by candidate, which metrics the results up to now let nobody judge of it or of dense."""

    def found(results: Results) -> dict[str, set[str]]:
        of_model = doubted(task, results, noticed, settings.metrics)
        return {pair.candidate: of_model[pair.candidate] | of_model[pair.dense] for pair in pairs}

    return found
