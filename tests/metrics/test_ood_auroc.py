import json

import numpy as np
import pytest
import reference_calibration
import reference_ood as reference
from sklearn.metrics import average_precision_score, roc_auc_score

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.ood_auroc import OodAuroc


def units(inside, **outside):
    """Units of test logits and the logits of out-of-distribution sets by name."""
    sets = {"test": inside} | {f"ood:{name}": logits for name, logits in outside.items()}
    own = {
        Predictions(name): {"logits": np.asarray(logits, np.float32), "label": np.zeros(len(logits), np.int64)}
        for name, logits in sets.items()
    }
    image = ArrayImages(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(1, int))
    return OodAuroc().units(own, own, Benchmark("b", image, ood=dict.fromkeys(outside, image)))


def random_units(seed=0):
    rng = np.random.default_rng(seed)
    logits = {name: rng.normal(size=(n, 4)) * scale for name, n, scale in (("near", 30, 2), ("far", 20, 1))}
    return units(rng.normal(size=(40, 4)) * 3, **logits)


def test_by_hand():
    """Margins 3 and 1 inside against 2 and 1 outside: 3 wins twice, 1 loses once and ties once: 2.5 of 4."""
    assert OodAuroc().value(units([[3, 0], [0, 1]], a=[[2, 0], [1, 0]])) == pytest.approx(2.5 / 4)


def test_in_distribution_is_the_positive_class():
    assert OodAuroc().value(units([[9, 0]], a=[[1, 0]])) == 1
    assert OodAuroc().value(units([[1, 0]], a=[[9, 0]])) == 0


def test_is_the_mean_over_sets_whatever_their_sizes():
    assert OodAuroc().value(units([[2, 0]], a=[[1, 0]] * 9, b=[[3, 0]])) == 0.5


def test_very_confident_images_are_told_apart():
    """All of these have a float32 and a float64 softmax of exactly 1."""
    assert OodAuroc().value(units([[60, 0], [50, 0]], a=[[45, 0], [40, 0]])) == 1


def test_agrees_with_the_literal_rewrite():
    rng = np.random.default_rng(1)
    inside, outside = rng.normal(size=(25, 3)) * 2, rng.normal(size=(20, 3))
    confidence = [[max(reference_calibration.softmax(row)) for row in rows] for rows in (inside, outside)]
    assert OodAuroc().value(units(inside, a=outside)) == pytest.approx(reference.auroc(*confidence))


def test_agrees_with_scikit_learn_under_weights():
    measured = random_units()
    weights = np.random.default_rng(0).poisson(1, (5, 90)).astype(float)
    expected = []
    for row in weights:
        areas = []
        for stratum in ("ood:near", "ood:far"):
            rows = np.r_[measured.rows("test"), measured.rows(stratum)]
            areas.append(roc_auc_score(rows < 40, measured["score"][rows], sample_weight=row[rows]))
        expected.append(np.mean(areas))
    np.testing.assert_allclose(OodAuroc().reduce(measured, weights), expected)


def test_strata_are_resampled_apart():
    assert dict(random_units().strata) == {"test": 40, "ood:near": 30, "ood:far": 20}


def test_details_say_sign_positive_class_and_sets():
    details = OodAuroc().details(random_units())
    assert details["score"] == "log max-softmax, higher = more in-distribution"
    assert details["positive_class"] == "in-distribution: 40 test images"
    assert details["negative_class"] == "out-of-distribution: near (30 images), far (20 images)"
    assert json.loads(json.dumps(details)) == details


def test_details_of_every_set():
    measured = random_units()
    details = OodAuroc().details(measured)["sets"]
    assert list(details) == ["near", "far"]
    inside = measured["score"][:40]
    for name, rows in (("near", slice(40, 70)), ("far", slice(70, 90))):
        outside = measured["score"][rows]
        positive = np.r_[np.ones(40), np.zeros(len(outside))]
        pooled = np.r_[inside, outside]
        assert details[name]["n"] == len(outside)
        assert details[name]["auroc"] == pytest.approx(roc_auc_score(positive, pooled))
        assert details[name]["aupr_in"] == pytest.approx(average_precision_score(positive, pooled))
        assert details[name]["aupr_out"] == pytest.approx(average_precision_score(1 - positive, -pooled))
        assert details[name]["fpr95"] == reference.false_positive_rate(inside, outside, 0.95)
    assert OodAuroc().value(measured) == pytest.approx((details["near"]["auroc"] + details["far"]["auroc"]) / 2)


def test_energy_and_max_logit_see_what_max_softmax_cannot():
    """Equal margins at different heights: one score cannot tell them apart, the other two can."""
    sets = OodAuroc().details(units([[9, 8], [8, 7]], a=[[2, 1], [1, 0]]))["sets"]
    assert sets["a"]["auroc"] == 0.5
    assert sets["a"]["energy_auroc"] == 1
    assert sets["a"]["max_logit_auroc"] == 1


def test_a_set_without_weight_is_nan():
    weights = np.array([1.0, 0.0, 0.0])
    assert np.isnan(OodAuroc().reduce(units([[1, 0]], a=[[0, 0], [2, 0]]), weights))


def test_without_sets_says_how_to_give_one(small_benchmark):
    with pytest.raises(NotEvaluated, match=r"^no out-of-distribution images \(give --ood SPEC\)$"):
        OodAuroc().measurements(Benchmark("b", small_benchmark.test))


def test_measured_from_model_and_images(small_classifier, small_benchmark):
    measured = OodAuroc().measure(small_classifier, small_benchmark)
    assert dict(measured.strata) == {"test": 40, "ood:noise": 30}
    assert 0 < OodAuroc().value(measured) < 1
    assert small_classifier.passes.forward == 70
