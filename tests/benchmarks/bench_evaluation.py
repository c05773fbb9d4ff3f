"""A whole evaluation beside its counted passes, each at the batch at which it is fastest.

ResNet-20 and a pruned version on 32 px images, one thread, without cache. What an evaluation does beside passes, and
passes at another batch, is what lies above 1.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.curvature.rates import measure_rates
from sparsescope.evaluation import Execution, evaluate_task, open_task, resolve, run
from sparsescope.evaluation.carrying_out import carrying_out
from sparsescope.evaluation.jobs import Setting
from sparsescope.evaluation.measure import Measuring
from sparsescope.evaluation.plan import Plan
from sparsescope.evaluation.task import Task
from sparsescope.passes import Passes, Rates
from tests.benchmarks.harness import Options, Row, seconds

_BATCHES = (4, 8, 16, 32, 64)
_KINDS = tuple(item.name for item in fields(Rates))
_NORMALIZATION = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def rows(options: Options) -> Iterator[Row]:
    """Yield the whole evaluation, and how far the progress bar's plan is from what was counted."""
    task, kept, planned = _task(options.data), [], []

    @contextlib.contextmanager
    def keeping(plan: Plan, setting: Setting, *arguments: Any) -> Iterator[Measuring]:
        with carrying_out(plan, setting, *arguments) as measuring:
            yield measuring
        kept.append((measuring.results, setting))

    execution = Execution(options.device, cache=False, progress=lambda done, total, label: planned.append(total))
    settings = resolve(preset=options.preset, seed=0)
    with mock.patch.object(run, "carrying_out", keeping):
        spent = seconds(lambda: evaluate_task(task, settings, execution), options.device)
    ((results, setting),) = kept
    passes, best = Passes.total(results.passes.values()), fastest(setting)
    counted = sum(best[kind] * getattr(passes, kind) for kind in _KINDS)
    peer = "counted passes, each at its best batch"
    yield Row(f"whole evaluation, `{options.preset}`, ResNet-20", peer, spent / counted, "<=", 1.15)
    yield Row("what the progress bar plans", "what was counted", planned[-1] / results.cost)


def fastest(setting: Setting) -> dict[str, float]:
    """Return the seconds of one image's pass of each kind through dense, at the batch at which that is fastest."""
    found: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    dense = setting.classifiers[0]
    with dense.prepared(setting.device), dense.answering(setting.networks.get(dense.name)):
        for batch in _BATCHES:
            rates, forward = measure_rates(dense, setting.benchmark.test.shape, batch, set(_KINDS))
            for kind in _KINDS:
                found[kind].append(getattr(rates, kind) * forward)
    return {kind: min(several) for kind, several in found.items()}


def _task(folder: str | None) -> Task:
    if folder is not None:
        data = Path(folder)
        models = [str(data / "checkpoints" / f"resnet20_jpegft_{name}.pt") for name in ("dense", "omp_s0.488")]
        return open_task(models[0], models[1:], f"npz:{data / 'cifar10' / 'test1000.npz'}")
    torch.manual_seed(0)
    dense = Classifier(resnet20s(), **_NORMALIZATION, name="dense")
    sparse = Classifier(resnet20s(), **_NORMALIZATION, name="sparse")
    coarse = torch.rand(300, 3, 5, 5)
    smooth = torch.nn.functional.interpolate(coarse, size=32, mode="bicubic").clamp(0, 1)
    images = ArrayImages((smooth * 255).byte().numpy().transpose(0, 2, 3, 1), np.arange(300) % 10)
    return open_task(dense, [sparse], Benchmark("smooth", images))
