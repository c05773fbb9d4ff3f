import pytest
from fake_evaluation import MODELS, make_evaluation, make_metric

from sparsescope.reporting.notes import (
    comparability,
    debiased,
    headline,
    not_evaluated,
    out_of_distribution,
    out_of_distribution_sets,
    scale_free,
    warnings,
)
from sparsescope.results import Evaluation, Pair, ScaleFree
from sparsescope.verdict import decide


def with_metrics(*metrics: object, **changes: object) -> Evaluation:
    return make_evaluation().model_copy(update={"metrics": metrics, **changes})


def fidelity(raw: tuple[float, float], r2: tuple[float | None, float | None]) -> Evaluation:
    details = {model: {"fidelity_r2": value} for model, value in zip(MODELS[:2], r2, strict=True)}
    return with_metrics(make_metric("fidelity", raw, higher_is_better=False, label="Fidelity", details=details))


@pytest.mark.parametrize(
    ("raw", "r2", "disagrees"),
    [
        ((0.02, 0.01), (0.8, 0.9), False),
        ((0.02, 0.01), (0.8, 0.7), True),
        ((0.02, 0.03), (0.8, 0.9), True),
        ((0.02, 0.03), (0.8, 0.7), False),
        ((0.02, 0.02), (0.8, 0.7), False),
    ],
)
def test_raw_and_scale_free_fidelity(raw: tuple[float, float], r2: tuple[float, float], disagrees: bool) -> None:
    (note,) = scale_free(fidelity(raw, r2))
    assert note["disagrees"] is disagrees
    assert (note["text"] in warnings(fidelity(raw, r2))) is disagrees


def test_the_scale_free_stability_is_better_where_lower() -> None:
    details = {MODELS[0]: {"stability_relative": 0.03}, MODELS[1]: {"stability_relative": 0.02}}
    (note,) = scale_free(with_metrics(make_metric("stability", (0.2, 0.3), higher_is_better=False, details=details)))
    assert note["disagrees"]
    assert "0.030 → 0.020" in note["text"]


def test_an_undefined_scale_free_version_says_nothing() -> None:
    assert scale_free(fidelity((0.02, 0.01), (0.8, None))) == []


def test_any_metric_may_have_a_scale_free_version() -> None:
    free = ScaleFree(key="free", label="free of scale", higher_is_better=False)
    details = {MODELS[0]: {"free": 1}, MODELS[1]: {"free": 2.5}}
    (note,) = scale_free(with_metrics(make_metric("own", (0.2, 0.3), label="Own", scale_free=free, details=details)))
    assert note["disagrees"]
    assert "free of scale is worse than dense (1.000 → 2.500)" in note["text"]


def test_warnings_hold_what_models_and_metrics_noted() -> None:
    evaluation = make_evaluation(MODELS)
    assert f"{MODELS[2]}: 1 of 20 prunable layers has no zeros: conv1.weight" in warnings(evaluation)
    found = warnings(
        with_metrics(
            make_metric("corruption_error", label="mCE", details={MODELS[1]: {"left_out": ["fog", "snow"]}}),
            make_metric("fidelity", label="Fidelity", details={MODELS[1]: {"skipped_images": 3}}),
            make_metric("stability", label="Stability", details={MODELS[1]: {"skipped_images": 0}}),
            make_metric("ece", half_width=None, label="ECE"),
        )
    )
    assert found == [
        f"mCE of {MODELS[1]}: left out, because dense makes no error there: fog, snow.",
        f"Fidelity of {MODELS[1]}: 3 images skipped, because they have fewer than two superpixels.",
        f"ECE: too few units for an interval ({MODELS[0]}, {MODELS[1]}).",
    ]


def test_debiased_names_the_metrics_whose_intervals_do_not_lie_around_the_values() -> None:
    ece = make_metric("ece", (0.02, 0.01), label="ECE")
    assert debiased(with_metrics(ece)) == ""
    difference = ece.differences[MODELS[1]].model_copy(update={"debiased": -0.008})
    ece = ece.model_copy(update={"differences": {MODELS[1]: difference}})
    assert debiased(with_metrics(ece, make_metric())).startswith("ECE: values are too large on few images")
    assert debiased(with_metrics(make_metric())) == ""


def test_not_evaluated_names_models_and_reason() -> None:
    assert not_evaluated(make_evaluation()) == [
        {"label": "Compositional IoU", "models": "all models", "reason": "no probe set"}
    ]
    assert not_evaluated(with_metrics(make_metric(values=(0.9, None), label="Accuracy"))) == [
        {"label": "Accuracy", "models": MODELS[1], "reason": "no such set"}
    ]


def test_out_of_distribution_says_sign_positive_class_and_sets() -> None:
    found = out_of_distribution(make_evaluation())
    assert found["score"] == "log max-softmax, higher = more in-distribution"
    assert found["positive class"].startswith("in-distribution")
    assert "dtd (600 images, far)" in found["negative class"]
    assert out_of_distribution(with_metrics()) == {}


def test_out_of_distribution_sets_have_each_models_numbers() -> None:
    assert out_of_distribution_sets(make_evaluation()) == [
        {"name": "dtd", "group": "far", "n": "600", "auroc": ["0.9120", "0.9050"], "fpr95": ["0.4100", "0.4200"]},
        {"name": "svhn", "group": "given", "n": "600", "auroc": ["0.8800", "0.8730"], "fpr95": ["0.5000", "0.5000"]},
    ]
    assert out_of_distribution_sets(with_metrics()) == []


def test_a_model_without_the_metric_has_a_dash() -> None:
    sets = {"svhn": {"group": "near", "n": 5, "auroc": 0.5, "fpr95": 1.0}}
    metric = make_metric("ood_auroc", (0.9, None), details={MODELS[0]: {"sets": sets}})
    (row,) = out_of_distribution_sets(with_metrics(metric))
    assert (row["auroc"], row["fpr95"]) == (["0.5000", "–"], ["1.0000", "–"])


@pytest.mark.parametrize(
    ("values", "complete", "expected"),
    [
        ((0.9, 0.9), True, "is an LTH-PASS: it matches"),
        ((0.9, 0.9), False, "in every metric that was asked for (a partial verdict)."),
        ((0.9, 0.8), True, f"{MODELS[1]} does not match {MODELS[0]}."),
        ((0.9, 0.89), False, "It is not decided whether"),
    ],
)
def test_headline(values: tuple[float, float], complete: bool, expected: str) -> None:
    metric = make_metric(values=values)
    verdict = decide([metric], Pair(dense=MODELS[0], candidate=MODELS[1]), confidence=0.95, complete=complete)
    text = headline(with_metrics(metric, verdicts={MODELS[1]: verdict}), MODELS[1])
    assert expected in text
    assert ("LTH-PASS" in text) == (complete and verdict.outcome == "pass")


def test_evaluations_made_alike_are_comparable() -> None:
    assert comparability([make_evaluation(), make_evaluation(MODELS)]) == []


def test_differences_in_the_making_are_named() -> None:
    first = make_evaluation()
    options = first["fidelity"].model_copy(update={"options": {"images": 200, "samples": 250}})
    metrics = tuple(options if metric.name == "fidelity" else metric for metric in first.metrics)
    benchmark = first.benchmark.model_copy(update={"fingerprint": "feed"})
    second = first.model_copy(update={"preset": "quick", "seed": 3, "metrics": metrics, "benchmark": benchmark})
    assert comparability([first, second]) == [
        "Preset differs: standard, quick.",
        "Seed differs: 0, 3.",
        "Benchmark differs: cifar10 (5f0c6d3a9b1e7742), cifar10 (feed).",
        "Fidelity: option samples differs: 1000, 250.",
    ]
