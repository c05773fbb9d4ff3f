"""Differences of one model to dense: shares of units, relative margins, and what decides nothing."""

import copy
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import sparsescope as ss
from sparsescope.errors import DefinitionError
from sparsescope.evaluation.bootstrap import GROUPS, bootstrap, estimate, jackknife
from sparsescope.evaluation.differences import ENOUGH_ALIKE, Reduced, difference
from sparsescope.mask import Mask
from sparsescope.metrics import create
from sparsescope.metrics.accuracy import Accuracy
from sparsescope.metrics.base import Metric
from sparsescope.metrics.facts import IntervalKind
from sparsescope.metrics.nll import NLL
from sparsescope.proportions import score_interval
from sparsescope.results import Difference
from sparsescope.units import Units, weighted_mean
from sparsescope.verdict import IDENTICAL


def between(metric: Metric, dense: Units, own: Units, margin: float = 0.05, **options) -> Difference:
    units = {"dense": dense, "own": own}
    (draws,) = bootstrap([(metric, units)], 500, 0)
    sides = {name: Reduced.of(metric, rows, draws[name]) for name, rows in units.items()}
    return difference(
        metric, sides["own"], sides["dense"], margin=margin, margin_kind=metric.margin_kind, confidence=0.95, **options
    )


def right(correct) -> Units:
    correct = np.asarray(correct, dtype=bool)
    return Units({"test": len(correct)}, {"correct": correct, "classes": np.full(len(correct), 4)})


def surprise(values) -> Units:
    return Units({"test": len(values)}, {"nll": np.asarray(values, dtype=float)})


@pytest.mark.parametrize("name", ["accuracy", "fgsm_accuracy", "pgd_accuracy", "autoattack_accuracy"])
def test_shares_of_images_have_the_score_interval(name: str) -> None:
    dense, own = np.ones(60), np.ones(60)
    dense[:5], own[3:11] = 0, 0  # 3 gained, 6 lost
    found = between(create(name), right(dense), right(own))
    assert (found.lost, found.gained) == (6, 3)
    assert found.interval == pytest.approx(score_interval(6, 3, 60, 0.95))


def test_a_share_that_is_none_is_refused() -> None:
    class Half(Accuracy):
        def reduce(self, units, weights):
            return 0.5 * weighted_mean(units["correct"], weights)

    with pytest.raises(DefinitionError, match=r"the share of units with 'correct', as its share_of says, but got 0\.5"):
        between(Half(), right(np.ones(9)), right(np.ones(9)))


def test_a_relative_margin_is_judged_with_the_noise_of_the_dense_value() -> None:
    rng = np.random.default_rng(0)
    dense = rng.exponential(size=200)
    own = 1.04 * dense  # 4 % worse on every image: the margin of 5 % holds whatever the images
    found = between(NLL(), surprise(dense), surprise(own))
    low, high = found.from_margin or (0, 0)
    assert low < high < 0
    centre = -0.01 * dense.mean()
    reach = 1.9719 * 0.01 * dense.std(ddof=1) / 200**0.5  # t of 199 degrees of freedom
    assert (low, high) == pytest.approx((centre - reach, centre + reach), rel=0.1)


def test_a_relative_margin_of_a_value_below_0() -> None:
    found = between(create("input_trace"), *(Units({"test": 9}, {"trace": np.arange(9.0) - c}) for c in (14, 14)), 0.1)
    low, high = found.from_margin or (0, 0)
    assert low < -1.0 < high < 0  # 0 more than -10, of which up to -9 still matches


def test_an_absolute_margin_needs_no_second_interval() -> None:
    assert between(create("accuracy"), right([1, 0, 1, 1]), right([1, 1, 0, 1])).from_margin is None


@pytest.mark.parametrize(("n", "undecided"), [(20, True), (ENOUGH_ALIKE - 1, True), (ENOUGH_ALIKE, False)])
def test_models_that_no_unit_tells_apart(n: int, undecided: bool) -> None:
    error = np.zeros((n, 15, 5), bool)
    error[::3] = True
    shared = {"error": error, "dense_error": error, "observed": np.ones_like(error)}
    dense, own = (Units({"test": n}, {**shared, "nll": np.full((n, 15, 5), nll, np.float32)}) for nll in (1.0, 2.0))
    metric = create("corruption_error")
    found = between(metric, dense, own).undecided
    assert (found is not None) == undecided
    assert found is None or found == "no unit tells the two models apart, and 381 such would be needed"
    assert between(metric, dense, dense).undecided is None  # what is measured agrees, to the last bit
    assert between(metric, dense, own, same=True).undecided is None


class Ratio(Metric):
    name: ClassVar[str] = "ratio"
    label: ClassVar[str] = "Ratio"
    sentence: ClassVar[str] = "Ratio of sums."
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "x"
    bounds: ClassVar[tuple[float | None, float | None]] = (None, None)
    source: ClassVar[str] = "none"
    dimension: ClassVar[ss.metrics.base.Dimension] = "generalization"
    interval: ClassVar[IntervalKind] = "jackknife"

    def measurements(self, benchmark):
        return ()

    def reduce(self, units, weights):
        return weighted_mean(units["x"], weights)


def test_the_jackknife_of_a_mean_is_its_textbook_interval() -> None:
    x = np.random.default_rng(0).normal(size=25)
    units = Units({"a": 25}, {"x": x})
    found = estimate(x.mean(), jackknife(Ratio(), units), units, confidence=0.95, kind="jackknife")
    reach = 2.063899 * x.std(ddof=1) / 5  # t of 24 degrees of freedom
    assert found.interval == pytest.approx((x.mean() - reach, x.mean() + reach))


def test_the_jackknife_of_several_strata_adds_their_variances() -> None:
    class Gap(Ratio):
        def reduce(self, units, weights):
            first, second = (weighted_mean(units["x"][rows], weights[..., rows]) for rows in map(units.rows, "ab"))
            return first - second

    x = np.random.default_rng(0).normal(size=42)
    spread = jackknife(Gap(), Units({"a": 30, "b": 12}, {"x": x}))
    assert np.std(spread, ddof=1) == pytest.approx((x[:30].var(ddof=1) / 30 + x[30:].var(ddof=1) / 12) ** 0.5)


def test_many_units_are_left_out_in_groups() -> None:
    x = np.random.default_rng(0).normal(size=10 * GROUPS)
    units = Units({"a": len(x)}, {"x": x})
    replicates = jackknife(Ratio(), units)
    assert len(replicates) == GROUPS
    assert np.std(replicates, ddof=1) == pytest.approx(x.std() / len(x) ** 0.5, rel=0.1)


@pytest.fixture
def networks() -> tuple[nn.Module, ss.Benchmark]:
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
    return network, ss.Benchmark("noise", ss.ArrayImages(images, np.arange(20) % 4))


def judged(dense, sparse, benchmark, **options):
    found = ss.evaluate(dense, sparse, benchmark, metrics=["accuracy", "nll"], cache=False, **options)
    return found.verdict(found.models[1].name)


def test_the_dense_model_itself_passes_by_identity_whatever_n(networks) -> None:
    dense, benchmark = networks
    copied = copy.deepcopy(dense)
    everything = Mask({"1.weight": torch.ones(16, 64, dtype=torch.bool)})
    masked = ss.Classifier(copy.deepcopy(dense), mask=everything)
    pruned = copy.deepcopy(dense)
    nn.utils.prune.identity(pruned[1], "weight")
    for sparse in (dense, copied, masked, pruned):
        verdict = judged(dense, sparse, benchmark)
        assert (verdict.outcome, verdict.identical) == ("pass", True)
        assert {entry.reason for entry in verdict.metrics.values()} == {IDENTICAL}
        assert IDENTICAL in verdict.statement


def test_nearly_the_same_weights_or_other_preprocessing_are_judged_by_their_images(networks) -> None:
    dense, benchmark = networks
    other = copy.deepcopy(dense)
    with torch.no_grad():
        other[1].weight[0, 0] = torch.nextafter(other[1].weight[0, 0], torch.tensor(9.0))
    shifted = ss.Classifier(copy.deepcopy(dense), mean=(1e-6,), std=(1.0,))
    for sparse in (other, shifted):
        verdict = judged(dense, sparse, benchmark)
        assert not verdict.identical
        assert verdict.metrics["accuracy"].outcome == "inconclusive"
        assert verdict.metrics["accuracy"].reason == "n = 20; about 381 would do if there were no difference"
