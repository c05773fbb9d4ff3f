import math

import pytest
from fake_evaluation import MODELS, make_metric
from hypothesis import given
from hypothesis import strategies as st

from sparsescope.proportions import score_interval
from sparsescope.results import Difference, MetricResult, MetricValue, Pair
from sparsescope.verdict import IDENTICAL, absolute_margin, combine, decide, judge, judge_as_paper, judged_interval

DENSE, SPARSE = MODELS[:2]
PAIR = Pair(dense=DENSE, candidate=SPARSE)


def outcome_of(metric: MetricResult) -> str:
    return judge(metric, PAIR, 0.95).outcome


def with_interval(low: float, high: float, **changes: object) -> MetricResult:
    """A metric whose difference has exactly this interval, the value in its middle."""
    metric = make_metric(values=(0.5, 0.5), **changes)  # type: ignore[arg-type]
    change = Difference(value=(low + high) / 2, interval=(low, high), standard_error=(high - low) / 3.92)
    return metric.model_copy(update={"differences": {SPARSE: change}})


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.005, 0.005, "pass"),
        (0.02, 0.03, "pass"),
        (-0.01, 0.005, "pass"),  # the margin itself still counts as a match
        (-0.011, 0.005, "inconclusive"),
        (-0.03, -0.01, "inconclusive"),
        (-0.03, -0.011, "fail"),
        (-0.0100001, -0.005, "inconclusive"),
    ],
)
def test_outcomes_with_margin_one_point_where_higher_is_better(low: float, high: float, expected: str) -> None:
    assert outcome_of(with_interval(low, high)) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.03, -0.02, "pass"), (-0.005, 0.01, "pass"), (-0.005, 0.011, "inconclusive"), (0.011, 0.03, "fail")],
)
def test_outcomes_turn_round_where_lower_is_better(low: float, high: float, expected: str) -> None:
    assert outcome_of(with_interval(low, high, higher_is_better=False)) == expected


def test_a_difference_equal_to_the_margin_passes_in_spite_of_rounding() -> None:
    change = 0.90 - 0.91
    assert change < -0.01  # what floating point makes of it
    metric = make_metric(values=(0.91, 0.90)).model_copy(
        update={"differences": {SPARSE: Difference(value=change, interval=(change, change), standard_error=0.0)}}
    )
    assert outcome_of(metric) == "pass"
    assert judge_as_paper(metric, PAIR) == "pass"


def test_relative_margin_is_a_fraction_of_the_size_of_the_dense_value() -> None:
    metric = make_metric(values=(-40.0, -41.0), margin=0.1, margin_kind="relative")
    assert absolute_margin(metric, DENSE) == pytest.approx(4.0)
    # -5 is worse than -4 where higher is better, and better where lower is.
    worse = {"values": (-40.0, -45.0), "half_width": 0.5, "margin": 0.1, "margin_kind": "relative"}
    assert outcome_of(make_metric(**worse)) == "fail"
    assert outcome_of(make_metric(**worse, higher_is_better=False)) == "pass"


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize("margin", [0.0, 0.01])
def test_identical_models_pass_also_with_margin_0(higher_is_better: bool, margin: float) -> None:
    same = with_interval(0.0, 0.0, higher_is_better=higher_is_better, margin=margin)
    assert outcome_of(same) == "pass"
    assert judge_as_paper(same, PAIR) == "pass"


def test_not_evaluated_gives_the_reason() -> None:
    judged = judge(make_metric(values=(0.9, None)), PAIR, 0.95)
    assert (judged.outcome, judged.reason) == ("not evaluated", "no such set")
    undefined = make_metric().model_copy(update={"differences": {SPARSE: Difference()}})
    assert judge(undefined, PAIR, 0.95).outcome == "not evaluated"


def test_too_few_units_for_an_interval_are_inconclusive_however_good_the_value() -> None:
    judged = judge(make_metric(values=(0.5, 0.9), half_width=None, n=1), PAIR, 0.95)
    assert (judged.outcome, judged.reason) == ("inconclusive", "no interval: too few units (n = 1)")


def test_units_needed_worked_by_hand() -> None:
    # The interval reaches 0.0196 below its centre: 1000 * ((1 + 0.841621 / 1.959964) * 0.0196 / 0.01)^2 = 7,848.9.
    metric = make_metric(values=(0.9, 0.895), half_width=0.0196, standard_error=0.01, n=1000)
    assert judge(metric, PAIR, 0.95).reason == "n = 1000; about 7,900 would do if there were no difference"


def test_the_units_told_decide_with_the_stated_power_if_there_is_no_difference() -> None:
    # With n' units the standard error is 0.01 sqrt(1000 / n'); the chance that the interval of no difference clears the
    # margin is P(Z > z - margin / error), which must be just above 80 %.
    error = 0.01 * math.sqrt(1000 / 7_900)
    chance = 0.5 * math.erfc((1.959964 - 0.01 / error) / math.sqrt(2))
    assert 0.80 <= chance < 0.82


def test_what_is_told_does_not_depend_on_the_difference_that_a_few_units_show() -> None:
    reasons = {judge(make_metric(values=(0.9, value), half_width=0.0196), PAIR, 0.95).reason for value in (0.89, 0.9)}
    assert reasons == {"n = 1000; about 7,900 would do if there were no difference"}


def test_enough_units_and_margins_of_0_are_told() -> None:
    close = judge(make_metric(values=(0.9, 0.888), half_width=0.0022), PAIR, 0.95)
    assert close.outcome == "inconclusive"
    assert (close.reason or "").endswith("enough if there were no difference: this one is close to the margin")
    nothing = judge(make_metric(values=(0.9, 0.9), margin=0.0), PAIR, 0.95)
    assert (nothing.reason or "").endswith("with a margin of 0 only a better model passes")
    hopeless = judge(make_metric(values=(0.9, 0.9), half_width=0.5), PAIR, 0.95)
    assert (hopeless.reason or "").endswith("more than can be told would be needed")


def test_of_a_share_of_units_it_is_what_the_score_interval_needs() -> None:
    metric = make_metric(n=20).model_copy(
        update={"differences": {SPARSE: Difference(value=0.0, interval=(-0.161, 0.161), lost=0, gained=0)}}
    )
    assert judge(metric, PAIR, 0.95).reason == "n = 20; about 381 would do if there were no difference"
    low = [float(score_interval(0, 0, n, 0.95)[0]) for n in (380, 381)]
    assert low[0] < -0.01 <= low[1]


def test_the_distance_from_a_relative_margin_is_what_counts() -> None:
    metric = with_interval(-0.001, 0.001, margin=0.1, margin_kind="relative")
    change = metric.differences[SPARSE].model_copy(update={"from_margin": (-0.01, 0.02)})
    judged = metric.model_copy(update={"differences": {SPARSE: change}})
    assert (outcome_of(metric), outcome_of(judged)) == ("pass", "inconclusive")
    turned = judged.model_copy(update={"higher_is_better": False})
    assert judged_interval(turned, PAIR) == (-0.02, 0.01)


def test_an_interval_that_decides_nothing_says_why() -> None:
    metric = with_interval(0.0, 0.0)
    change = metric.differences[SPARSE].model_copy(update={"undecided": "no unit tells the two apart"})
    judged = judge(metric.model_copy(update={"differences": {SPARSE: change}}), PAIR, 0.95)
    assert (judged.outcome, judged.reason) == ("inconclusive", "n = 1000; no unit tells the two apart")


def test_the_dense_model_itself_passes_in_all_that_was_measured_whatever_n() -> None:
    metrics = [make_metric("accuracy", n=2), make_metric("composition", (None, None))]
    verdict = decide(metrics, PAIR, confidence=0.95, complete=True, identical=True)
    assert verdict.identical
    assert verdict.metrics["accuracy"].outcome == "pass"
    assert verdict.metrics["accuracy"].reason == IDENTICAL
    assert verdict.outcome == "inconclusive"  # composition was not evaluated
    assert decide(metrics[:1], PAIR, confidence=0.95, complete=False, identical=True).outcome == "pass"
    assert decide(metrics[:1], PAIR, confidence=0.95, complete=False, identical=True, constant=True).outcome == "fail"


def test_only_a_narrow_fail_says_so() -> None:
    narrow = judge(with_interval(-0.051, -0.011), PAIR, 0.95)
    assert (narrow.outcome, narrow.reason) == ("fail", "narrowly; n = 1000")
    assert judge(with_interval(-0.25, -0.21), PAIR, 0.95).reason is None


def test_a_skewed_interval_clear_of_the_margin_is_no_narrow_fail() -> None:
    change = Difference(value=-0.52, interval=(-1.2, -0.3), standard_error=0.25)  # the spread lies on the far side
    metric = make_metric(values=(1.0, 0.48)).model_copy(update={"differences": {SPARSE: change}})
    judged = judge(metric, PAIR, 0.95)
    assert (judged.outcome, judged.reason) == ("fail", None)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "fail", "inconclusive", "not evaluated"], "fail"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass", "not evaluated"], "inconclusive"),
        (["not evaluated"], "not evaluated"),
        ([], "not evaluated"),
    ],
)
def test_all_must_pass(outcomes: list, expected: str) -> None:
    assert combine(outcomes) == expected


def test_paper_allows_a_point_of_accuracy_and_nothing_else() -> None:
    assert judge_as_paper(make_metric("accuracy", (0.90, 0.891)), PAIR) == "pass"
    assert judge_as_paper(make_metric("accuracy", (0.90, 0.889)), PAIR) == "fail"
    auroc = make_metric("ood_auroc", (0.90, 0.899))
    assert judge_as_paper(auroc, PAIR) == "fail"
    assert judge_as_paper(auroc, PAIR, tolerance=0.002) == "pass"
    ece = make_metric("ece", (0.03, 0.02), higher_is_better=False)
    assert judge_as_paper(ece, PAIR) == "pass"
    assert judge_as_paper(make_metric(values=(None, 0.9)), PAIR) == "not evaluated"


def verdict_of(*metrics: MetricResult, complete: bool = True):  # type: ignore[no-untyped-def]
    return decide(metrics, PAIR, confidence=0.95, complete=complete)


def test_a_full_verdict_that_passes_is_an_lth_pass() -> None:
    verdict = verdict_of(make_metric("accuracy"), make_metric("ece", dimension="calibration"))
    assert (verdict.outcome, verdict.partial, verdict.policy) == ("pass", False, "margins")
    assert verdict.statement == f"{SPARSE}: LTH-PASS — 2 of 2 metrics match dense within their margins"
    assert verdict.dimensions == {"generalization": "pass", "calibration": "pass"}


def test_a_partial_verdict_says_so_and_never_says_lth_pass() -> None:
    verdict = verdict_of(make_metric(), complete=False)
    assert verdict.partial
    assert "LTH-PASS" not in verdict.statement
    assert "PASS (partial verdict" in verdict.statement


def test_fail_names_the_metrics_and_metrics_outside_the_verdict_do_not_count() -> None:
    verdict = verdict_of(
        make_metric("accuracy"),
        make_metric("nll", (0.9, 0.7)),
        make_metric("generalization_gap", (0.9, 0.1), in_verdict=False),
    )
    assert verdict.outcome == "fail"
    assert list(verdict.metrics) == ["accuracy", "nll"]
    assert verdict.statement.endswith("FAIL — worse than dense beyond the margin in nll")
    assert verdict.paper.outcome == "fail"
    assert verdict.paper.metrics == {"accuracy": "pass", "nll": "fail"}


def test_what_is_missing_makes_the_verdict_inconclusive() -> None:
    verdict = verdict_of(make_metric("accuracy"), make_metric("composition", (None, None)))
    assert verdict.outcome == "inconclusive"
    assert "not evaluated: composition" in verdict.statement
    nothing = verdict_of(make_metric(in_verdict=False))
    assert nothing.outcome == "inconclusive"
    assert "no metric of the verdict was asked for" in nothing.statement


@given(low=st.floats(-1, 1), width=st.floats(0, 1), margin=st.floats(0, 0.5), up=st.booleans(), slack=st.floats(0, 0.5))
def test_a_larger_margin_never_turns_a_pass_into_anything_else(
    low: float, width: float, margin: float, up: bool, slack: float
) -> None:
    rank = {"fail": 0, "inconclusive": 1, "pass": 2}
    strict = outcome_of(with_interval(low, low + width, margin=margin, higher_is_better=up))
    loose = outcome_of(with_interval(low, low + width, margin=margin + slack, higher_is_better=up))
    assert rank[loose] >= rank[strict]


@given(low=st.floats(-1, 1), width=st.floats(0, 1), margin=st.floats(0, 0.5))
def test_mirrored_metrics_have_the_same_outcome(low: float, width: float, margin: float) -> None:
    up = with_interval(low, low + width, margin=margin)
    down = with_interval(-(low + width), -low, margin=margin, higher_is_better=False)
    assert outcome_of(up) == outcome_of(down)


def test_a_value_measured_but_undefined_is_not_judged() -> None:
    metric = make_metric()
    values = {**metric.values, SPARSE: MetricValue(status="measured", value=math.nan)}
    broken = metric.model_copy(update={"values": values, "differences": {SPARSE: Difference(value=math.nan)}})
    assert judge(broken, PAIR, 0.95).outcome == "not evaluated"
