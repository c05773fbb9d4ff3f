import pytest
from fake_evaluation import MODELS, make_evaluation, make_metric

from sparsescope.results import Difference, Pairs
from sparsescope.results.radar import normalise


def test_two_models_are_ratios_to_dense_oriented_outwards() -> None:
    metrics = [
        make_metric("accuracy", (0.8, 0.6), 0.04),
        make_metric("ece", (0.02, 0.05), 0.01, higher_is_better=False),
    ]
    radar = normalise(metrics, Pairs.of_one_dense(MODELS[:2]))
    assert radar.normalisation == "ratio"
    assert radar.axes == ("accuracy", "ece")
    assert radar.values[MODELS[0]] == (1.0, 1.0)
    assert radar.values[MODELS[1]] == (pytest.approx(0.75), pytest.approx(0.4))
    # Bands: accuracy 0.56..0.64 over 0.8; ECE 0.02 over 0.06..0.04, turned round.
    assert radar.bands[MODELS[1]] == (pytest.approx((0.7, 0.8)), pytest.approx((1 / 3, 0.5)))


@pytest.mark.parametrize(
    ("dense", "sparse", "up", "expected"),
    [
        (-1.0, -2.0, True, None),
        (-2.0, -2.0, True, 1.0),
        (0.0, 0.1, True, None),
        (0.0, 0.0, True, 1.0),
        (0.1, 0.0, True, 0.0),
        (0.1, 0.0, False, None),
        (0.0, 0.1, False, 0.0),
        (10.0, -1.0, False, None),
    ],
)
def test_ratios_of_negative_values_and_by_zero_are_undefined(
    dense: float, sparse: float, up: bool, expected: float | None
) -> None:
    radar = normalise([make_metric(values=(dense, sparse), higher_is_better=up)], Pairs.of_one_dense(MODELS[:2]))
    assert radar.values[MODELS[1]] == (expected,)


def test_three_models_are_spread_between_worst_and_best() -> None:
    metrics = [
        make_metric("accuracy", (0.9, 0.8, 0.7)),
        make_metric("ece", (0.02, 0.05, 0.03), higher_is_better=False),
        make_metric("nll", (0.3, 0.3, 0.3)),
    ]
    radar = normalise(metrics, Pairs.of_one_dense(MODELS))
    assert radar.normalisation == "minmax"
    assert radar.values[MODELS[0]] == (1.0, 1.0, 1.0)
    assert radar.values[MODELS[1]] == (pytest.approx(0.5), 0.0, 1.0)
    assert radar.values[MODELS[2]] == (0.0, pytest.approx(2 / 3), 1.0)


def test_axes_are_verdict_metrics_measured_on_every_model() -> None:
    metrics = [
        make_metric("accuracy"),
        make_metric("generalization_gap", in_verdict=False),
        make_metric("composition", (None, None)),
        make_metric("ood_auroc", (0.9, None)),
    ]
    assert normalise(metrics, Pairs.of_one_dense(MODELS[:2])).axes == ("accuracy",)


def test_no_interval_is_no_band() -> None:
    radar = normalise([make_metric(half_width=None)], Pairs.of_one_dense(MODELS[:2]))
    assert radar.bands[MODELS[1]] == (None,)


def test_bands_are_those_of_the_paired_comparison() -> None:
    """Dense is the reference and has none; the same model again has a band of no width at 1."""
    evaluation = make_evaluation()
    dense, candidate = evaluation.dense.name, evaluation.candidates[0].name
    metric = next(m for m in evaluation.metrics if m.in_verdict and m.values[dense].value is not None)
    value = metric.values[dense].value
    assert value is not None
    twin = metric.model_copy(
        update={
            "values": {dense: metric.values[dense], candidate: metric.values[dense]},
            "differences": {candidate: Difference(value=0.0, interval=(0.0, 0.0), standard_error=0.0)},
        }
    )
    radar = normalise([twin], Pairs.of_one_dense([dense, candidate]))
    assert radar.bands == {dense: (None,), candidate: ((1.0, 1.0),)}
    spread = twin.model_copy(
        update={"differences": {candidate: Difference(value=0.0, interval=(-0.1 * value, 0.2 * value))}}
    )
    (band,) = normalise([spread], Pairs.of_one_dense([dense, candidate])).bands[candidate]
    expected = (0.9, 1.2) if metric.higher_is_better else (1 / 1.2, 1 / 0.9)
    assert band == pytest.approx(expected)
