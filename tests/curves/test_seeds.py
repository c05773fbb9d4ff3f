"""Seeds combined and judged, against numbers worked by hand and by simulation."""

import math
from typing import Any

import numpy as np
import pytest
from fake_evaluation import MODELS, make_metric

from sparsescope.curves.records import CurvePoint, Spread
from sparsescope.curves.seeds import SeedResult, combine_seeds, spread
from sparsescope.results import Pair
from sparsescope.verdict import judge

PAIR = Pair(dense=MODELS[0], candidate=MODELS[1])

T2 = 4.302652729911275  # Student's t with 2 degrees of freedom, 97.5 %; from printed tables 4.303


def seed_result(dense: float | None, ticket: float | None, half: float | None = 0.003, **changes: Any) -> SeedResult:
    removed, name = changes.pop("sparsity", 0.488), changes.pop("name", "accuracy")
    return SeedResult(make_metric(name, (dense, ticket), half, **changes), PAIR, removed)


def combine(*results: SeedResult, expected: int | None = None, **options: Any) -> CurvePoint:
    return combine_seeds(0.488, dict(enumerate(results)), range(expected or len(results)), confidence=0.95, **options)


def test_spread_has_n_minus_one_in_the_divisor() -> None:
    assert spread([1.0, 2.0, 3.0]) == Spread(2.0, 1.0, 3)
    assert spread([5.0]) == Spread(5.0, None, 1)
    assert spread([]) == Spread(None, None, 0)


def test_one_seed_is_the_evaluation_itself() -> None:
    for ticket in (0.899, 0.893, 0.88):
        result = seed_result(0.9, ticket)
        point = combine(result)
        assert point.interval == result.difference.interval
        assert point.outcomes["margins"] == judge(result.metric, PAIR, 0.95).outcome
        assert (point.value, point.difference.sd) == (Spread(ticket, None, 1), None)


def test_three_seeds_by_hand() -> None:
    """Differences -0.4, -0.2 and 0 points: mean -0.2, s.d. 0.2; images +-0.3, trainings t 0.2 / sqrt 3 = 0.4968."""
    point = combine(seed_result(0.90, 0.896), seed_result(0.91, 0.908), seed_result(0.89, 0.89))
    assert point.interval == pytest.approx((-0.002 - 0.0058038, -0.002 + 0.0058038), abs=1e-7)
    assert point.interval is not None
    assert -0.002 - point.interval[0] == pytest.approx(math.hypot(0.003, T2 * 0.002 / math.sqrt(3)))
    assert point.value.mean == pytest.approx((0.896 + 0.908 + 0.89) / 3)
    assert point.difference.sd == pytest.approx(0.002)
    assert point.outcomes == {"margins": "pass", "paper": "pass"}
    tight = [seed_result(d, t, margin=0.005) for d, t in ((0.90, 0.896), (0.91, 0.908), (0.89, 0.89))]
    assert combine(*tight).outcomes["margins"] == "inconclusive"


def test_an_interval_that_is_not_symmetric_keeps_its_shape() -> None:
    metric = make_metric("ece", (0.03, 0.03), 0.0)
    lopsided = metric.differences[MODELS[1]].model_copy(update={"interval": (-0.001, 0.004)})
    same = SeedResult(metric.model_copy(update={"differences": {MODELS[1]: lopsided}}), PAIR, 0.5)
    assert combine(same, same, same).interval == pytest.approx((-0.001, 0.004))  # no spread between trainings


def test_lower_is_better_and_a_margin_relative_to_the_mean_of_dense() -> None:
    """Dense 200 and 400, mean 300: a margin of 10 % is 30; the tickets are 29 and 29 higher, 31 and 31 higher."""
    facts: dict[str, Any] = {"higher_is_better": False, "margin": 0.1, "margin_kind": "relative"}
    near = [seed_result(dense, dense + 29.0, 0.5, **facts) for dense in (200.0, 400.0)]
    far = [seed_result(dense, dense + 31.0, 0.5, **facts) for dense in (200.0, 400.0)]
    assert combine(*near).outcomes["margins"] == "pass"
    assert combine(*far).outcomes["margins"] == "fail"
    better = [seed_result(dense, dense - 31.0, 0.5, name="nll", **facts) for dense in (200.0, 400.0)]
    assert combine(*better).outcomes == {"margins": "pass", "paper": "pass"}


def test_the_paper_reads_mean_differences_and_gives_accuracy_alone_a_point() -> None:
    lost = [(0.9, 0.888), (0.9, 0.892)]  # a point in the mean
    assert combine(*(seed_result(*pair) for pair in lost)).outcomes["paper"] == "pass"
    others = [seed_result(*pair, name="ood_auroc") for pair in lost]
    assert combine(*others).outcomes["paper"] == "fail"
    assert combine(*others, tolerance=0.01).outcomes["paper"] == "pass"
    assert combine(seed_result(0.9, 0.888), seed_result(0.9, 0.8919)).outcomes["paper"] == "fail"


def test_a_missing_seed_cannot_pass_by_margins_but_can_fail() -> None:
    good, bad = seed_result(0.9, 0.9), seed_result(0.9, 0.8)
    assert combine(good, good, expected=2).outcomes["margins"] == "pass"
    point = combine(good, good, expected=3)
    assert point.outcomes == {"margins": "inconclusive", "paper": "pass"}
    assert point.reason == "without seed 2"
    assert combine(bad, bad, expected=3).outcomes == {"margins": "fail", "paper": "fail"}


def test_a_seed_whose_metric_was_not_evaluated_is_a_missing_seed() -> None:
    point = combine(seed_result(0.9, 0.9), seed_result(0.9, None), seed_result(0.92, 0.92))
    assert (point.value, point.reason) == (
        Spread(pytest.approx(0.91), pytest.approx(0.01 * math.sqrt(2)), 2),
        "without seed 1",
    )
    assert point.outcomes["margins"] == "inconclusive"


def test_nothing_known() -> None:
    reasons = combine(seed_result(None, None), seed_result(0.9, None))
    assert reasons.reason == "no such set"
    assert reasons.outcomes == {"margins": "not evaluated", "paper": "not evaluated"}
    assert (reasons.value, reasons.interval) == (Spread(None, None, 0), None)
    none = combine_seeds(0.36, {}, (0, 1), confidence=0.95)
    assert (none.target, none.sparsity, none.reason) == (0.36, 0.36, "no seed was evaluated")


def test_without_an_interval_it_is_not_decided() -> None:
    point = combine(seed_result(0.9, 0.9), seed_result(0.9, 0.9, None))
    assert point.interval is None
    assert (point.outcomes["margins"], point.reason) == ("inconclusive", "too few units for an interval")


def test_sparsity_is_what_was_removed_in_truth() -> None:
    assert combine(seed_result(0.9, 0.9, sparsity=0.5), seed_result(0.9, 0.9, sparsity=0.52)).sparsity == 0.51
    assert combine(seed_result(None, None, sparsity=0.5)).sparsity == 0.5


@pytest.mark.parametrize("shared", [1.0, 0.5])
def test_coverage_by_simulation(shared: float) -> None:
    """True difference -0.004; trainings differ by 0.003, and images by 0.002, in part the same for all seeds."""
    rng = np.random.default_rng(0)
    images, trainings, truth, covered = 0.002, 0.003, -0.004, 0
    for _ in range(600):
        common = rng.normal(0, images) * math.sqrt(shared)
        own = rng.normal(0, images, 3) * math.sqrt(1 - shared)
        found = truth + common + own + rng.normal(0, trainings, 3)
        low, high = combine(*(seed_result(0.9, 0.9 + d, 1.96 * images) for d in found)).interval or (0, 0)
        covered += low <= truth <= high
    assert covered / 600 > 0.935  # never too narrow: 0.95 less two standard errors of the simulation
