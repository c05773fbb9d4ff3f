"""Plan, executor and assembly on their own: no order of jobs and no grouping of models changes a number."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from same_numbers import assert_same, numbers
from torch import nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation import evaluate, plan, run
from sparsescope.evaluation.assemble import metric_results
from sparsescope.evaluation.cache import Cache
from sparsescope.evaluation.carrying_out import carrying_out
from sparsescope.evaluation.jobs import Answer, Begun, Job, Setting
from sparsescope.evaluation.local import LocalExecutor
from sparsescope.evaluation.plan import make_plan
from sparsescope.evaluation.settings import resolve
from sparsescope.measurements.explanations import Explanations
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics import create
from sparsescope.results import Pair, Pairs


class BackwardsExecutor(LocalExecutor):
    """Answers the last job first, as a pool of workers may."""

    def run(self, jobs: Sequence[Job], begun: Begun) -> Iterator[Answer]:
        return super().run(list(jobs)[::-1], begun)


@pytest.mark.parametrize("order", ["by id", "fair", "by another seed"])
def test_neither_order_nor_shards_nor_executor_change_a_number(
    dense: Classifier,
    sparse: Classifier,
    benchmark: Benchmark,
    settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    order: str,
) -> None:
    expected = evaluate(dense, sparse, benchmark, **settings)
    monkeypatch.setattr(plan, "SHARD_COST", 60)
    monkeypatch.setattr(run, "open_executor", lambda setting, workers: BackwardsExecutor(setting))
    fair_order = plan.fair_order
    if order == "by id":
        monkeypatch.setattr(plan, "fair_order", lambda classes, seed, stream: np.arange(len(classes)))
    elif order == "by another seed":
        monkeypatch.setattr(plan, "fair_order", lambda classes, seed, stream: fair_order(classes, 77, stream))
    assert_same(expected, evaluate(dense, sparse, benchmark, **settings))


def test_finished_parts_of_another_order_are_not_misread(
    dense: Classifier,
    sparse: Classifier,
    benchmark: Benchmark,
    settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    settings |= {"metrics": ["accuracy", "nll", "fgsm_accuracy"]}
    expected = evaluate(dense, sparse, benchmark, **settings)
    monkeypatch.setattr(plan, "SHARD_COST", 60)
    settings["cache"] = tmp_path
    evaluate(dense, sparse, benchmark, **settings)
    fair_order = plan.fair_order
    monkeypatch.setattr(plan, "fair_order", lambda classes, seed, stream: fair_order(classes, 77, stream))
    assert_same(expected, evaluate(dense, sparse, benchmark, **settings))
    assert numbers(evaluate(dense, sparse, benchmark, **settings))["accuracy/value/dense"] > 0


def two_denses() -> Pairs:
    return Pairs(("a", "b", "a-s", "b-s"), (Pair(dense="a", candidate="a-s"), Pair(dense="b", candidate="b-s")))


def test_what_reads_the_dense_model_is_planned_for_each_dense_model(small_benchmark: Benchmark) -> None:
    """And what does not, once for all models."""
    tasks = make_plan([create("fidelity"), create("accuracy")], small_benchmark, 0, two_denses()).tasks
    found = {(type(task.measurement), task.dense): task.models for task in tasks}
    assert found == {
        (Predictions, None): ("a", "b", "a-s", "b-s"),
        (Explanations, "a"): ("a", "a-s"),
        (Explanations, "b"): ("b", "b-s"),
    }


def test_two_pairs_together_have_the_numbers_of_each_alone(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    """The corruption error is relative to dense, and the fidelity is of the classes that dense sees."""
    torch.manual_seed(5)
    other: nn.Module = copy.deepcopy(dense.module)
    for parameter in other.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    models = [replace(dense, name="a"), replace(dense, name="b", module=other, mask=None)]
    models += [replace(sparse, name="a-s"), replace(sparse, name="b-s")]
    names = ["accuracy", "corruption_error", "fidelity"]
    options = {name: settings["options"][name] for name in names if name in settings["options"]}
    resolved = resolve(options=options, metrics=names, replicates=200)
    setting = Setting(models, benchmark, 0, 16, "cpu")
    planned = make_plan(resolved.metrics, benchmark, 0, two_denses())
    with carrying_out(planned, setting, Cache(None), LocalExecutor(setting), None) as measuring:
        results = measuring.all()
    together = metric_results(resolved, planned, results, two_denses(), benchmark, 0).metrics
    keywords = settings | {"metrics": names, "options": options}
    for first, second in (models[::2], models[1::2]):
        alone = evaluate(first, second, benchmark, batch_size=16, **keywords)
        for metric in together:
            assert metric.values[first.name] == alone[metric.name].values[first.name]
            assert metric.values[second.name] == alone[metric.name].values[second.name]
            assert metric.differences[second.name] == alone[metric.name].differences[second.name]
    assert together[1].values["a-s"] != together[1].values["b-s"]


def test_a_model_at_the_level_of_chance_is_warned_of(
    dense: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    """Whoever hands over labels in another order, or forgets the normalisation, should hear of it."""
    truth = benchmark.test.required_labels()

    class Oracle(nn.Module):
        def __init__(self, answers: np.ndarray) -> None:
            super().__init__()
            self.answers, self.shown = torch.from_numpy(answers), {}
            for image, answer in zip(benchmark.test.read(range(len(truth))), answers, strict=True):
                self.shown[image.numpy().tobytes()] = int(answer)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            answers = torch.tensor([self.shown.get(image.numpy().tobytes(), 0) for image in images])
            return 9.0 * nn.functional.one_hot(answers, 4).float() + images.mean((1, 2, 3))[:, None]

    right, wrong = (Classifier(Oracle(answers), name=name) for answers, name in ((truth, "right"), (3 - truth, "no")))
    evaluation = evaluate(right, wrong, benchmark, **settings | {"metrics": ["accuracy"], "options": {}})
    assert evaluation.dense.warnings == ()
    assert evaluation.candidates[0].warnings[0].startswith("accuracy 0.0% is at the level of chance for 4 classes: a ")
