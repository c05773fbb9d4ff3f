"""The plan: nothing twice, requirements first, shards that cover every unit once."""

import numpy as np
import pytest

from sparsescope.benchmark import Benchmark
from sparsescope.evaluation.plan import SHARD_COST, Task, make_plan
from sparsescope.measurements.explanations import Explanations
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics import create
from sparsescope.results import Pairs

THREE = Pairs.of_one_dense(["dense", "sparse", "sparser"])


def test_metrics_share_their_measurements(small_benchmark: Benchmark) -> None:
    metrics = [create(name) for name in ("accuracy", "ece", "sce", "nll", "ood_auroc", "fidelity", "stability")]
    plan = make_plan(metrics, small_benchmark, 0, THREE)
    measurements = [task.measurement for task in plan.tasks]
    assert len(set(measurements)) == len(measurements)
    assert [type(m) for m in measurements] == [Predictions, Predictions, Explanations]
    assert all(task.models == THREE.models for task in plan.tasks)


def test_what_is_required_comes_first_and_of_dense_only(small_benchmark: Benchmark) -> None:
    plan = make_plan([create("fidelity")], small_benchmark, 0, THREE)
    (first,), (second,) = plan.stages
    assert (first.measurement, first.models) == (Predictions("test"), ("dense",))
    assert second.models == THREE.models
    assert (first.dense, second.dense) == (None, "dense")


def test_what_cannot_be_measured_has_its_reason(small_benchmark: Benchmark) -> None:
    bare = Benchmark("bare", small_benchmark.test)
    plan = make_plan([create(name) for name in ("accuracy", "ood_auroc", "generalization_gap")], bare, 0, THREE)
    assert [task.measurement for task in plan.tasks] == [Predictions("test")]
    assert set(plan.reasons) == {"ood_auroc", "generalization_gap"}
    assert "--ood" in plan.reasons["ood_auroc"]
    assert "--train" in plan.reasons["generalization_gap"]


@pytest.mark.parametrize(("n", "cost"), [(1, 1.0), (10_000, 1.0), (7, 1e6), (4096, 1.0), (1000, 1000.0)])
def test_shards_cover_every_unit_once(n: int, cost: float) -> None:
    order = np.random.default_rng(0).permutation(n)
    shards = Task(Predictions("test"), np.arange(n) + 5, order, cost, ("dense",)).shards()
    covered = np.concatenate([shard.rows for shard in shards])
    np.testing.assert_array_equal(np.sort(covered), np.arange(n))
    start = 0
    for shard in shards:
        assert len(shard) * cost <= max(SHARD_COST, cost)
        np.testing.assert_array_equal(shard.rows, np.sort(order[start : start + len(shard)]))
        np.testing.assert_array_equal(shard.ids, shard.rows + 5)
        assert shard.start == start
        start += len(shard)
