"""The order of units: every beginning is a fair sample, drawn anew for every seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.evaluation.order import fair_order
from sparsescope.evaluation.plan import make_plan
from sparsescope.metrics import create
from sparsescope.results import Pairs


def largest_deviation(classes: np.ndarray, order: np.ndarray) -> float:
    """max over prefixes m and classes k of |count - m n_k / n|, the slow and literal way."""
    n, worst = len(classes), 0.0
    for k in np.unique(classes):
        share = (classes == k).sum() / n
        for m in range(1, n + 1):
            worst = max(worst, abs((classes[order[:m]] == k).sum() - m * share))
    return worst


@settings(deadline=None, max_examples=150)
@given(st.lists(st.integers(0, 6), max_size=60), st.integers(0, 2**32))
def test_every_prefix_has_every_class_in_its_proportion_to_within_one(classes: list[int], seed: int) -> None:
    labels = np.array(classes, dtype=np.int64)
    order = fair_order(labels, seed, "order/test")
    assert sorted(order.tolist()) == list(range(len(labels)))
    assert largest_deviation(labels, order) < 1


@pytest.mark.parametrize(
    "counts", [(500, 3, 1, 100, 40), (1,) * 50, (90, 10), (7,), tuple(range(1, 40)), (333, 333, 334), (1000, 1)]
)
def test_classes_of_very_different_sizes(counts: tuple[int, ...]) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    assert largest_deviation(labels, fair_order(labels, 3, "order/test")) < 1


def test_large_classes_do_not_come_first() -> None:
    """Over many seeds a prefix holds m n_k / n of each class, not only to within one."""
    labels = np.repeat(np.arange(20), [*range(5, 25)])
    seen = np.mean([np.bincount(labels[fair_order(labels, s, "o")[:10]], minlength=20) for s in range(600)], axis=0)
    np.testing.assert_allclose(seen, 10 * np.bincount(labels) / len(labels), atol=0.12)
    rare = np.array([0] * 90 + [1] * 10)
    seen = np.mean([np.cumsum(rare[fair_order(rare, s, "o")])[:10] for s in range(600)], axis=0)
    np.testing.assert_allclose(seen, np.arange(1, 11) / 10, atol=0.12)


def test_within_a_class_the_order_is_random_and_belongs_to_seed_and_stream() -> None:
    labels = np.repeat([0, 1], [60, 40])
    order = fair_order(labels, 0, "order/test")
    np.testing.assert_array_equal(order, fair_order(labels, 0, "order/test"))
    others = [fair_order(labels, 1, "order/test"), fair_order(labels, 0, "order/train")]
    assert all((order != other).any() for other in others)
    firsts = [fair_order(labels, seed, "o")[0] for seed in range(2000)]
    counts = np.bincount(firsts, minlength=100)
    assert counts.min() > 2 and counts.max() < 60  # 20 each on average: any unit may come first


def test_plans_measure_labelled_images_in_that_order_and_others_in_a_random_one() -> None:
    labels = np.repeat(np.arange(4), [10, 20, 30, 40])
    rng = np.random.default_rng(0)
    test, ood = (ArrayImages(rng.integers(0, 256, (100, 16, 16, 3), np.uint8), given) for given in (labels, None))
    benchmark = Benchmark("b", test, train=test, ood={"noise": ood})
    names = ("accuracy", "ood_auroc", "fgsm_accuracy", "corruption_error", "fidelity", "input_trace", "weight_trace")
    pairs = Pairs.of_one_dense(["dense", "sparse"])
    tasks = make_plan([create(name) for name in names], benchmark, 0, pairs).tasks
    seen = set()
    for task in tasks:
        kind = type(task.measurement).__name__
        seen.add((kind, task.measurement.population))
        assert (task.order != np.arange(len(task.ids))).any()
        if kind != "WeightCurvature" and "ood" not in task.measurement.population:
            assert largest_deviation(labels[task.ids], task.order) < 1
        np.testing.assert_array_equal(task.ids, np.sort(task.ids))  # the written order stays
    assert len(seen) == 7
