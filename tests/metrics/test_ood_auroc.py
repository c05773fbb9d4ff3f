import json

import numpy as np
import pytest
import reference_calibration
import reference_ood as reference
from sklearn.metrics import average_precision_score, roc_auc_score

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.errors import NotEvaluated, OptionError
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics import create
from sparsescope.metrics.ood_auroc import SCORES, OodAuroc, Score


def units(inside, groups=None, **outside):
    """Units of test logits and the logits of out-of-distribution sets by name."""
    sets = {"test": inside} | {f"ood:{name}": logits for name, logits in outside.items()}
    own = {
        Predictions(name): {"logits": np.asarray(logits, np.float32), "label": np.zeros(len(logits), np.int64)}
        for name, logits in sets.items()
    }
    image = ArrayImages(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(1, int))
    return OodAuroc().units(own, own, Benchmark("b", image, ood=dict.fromkeys(outside, image), ood_groups=groups or {}))


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
            areas.append(roc_auc_score(rows < 40, measured["max_softmax"][rows], sample_weight=row[rows]))
        expected.append(np.mean(areas))
    np.testing.assert_allclose(OodAuroc().reduce(measured, weights), expected)


def test_strata_are_resampled_apart():
    assert dict(random_units().strata) == {"test": 40, "ood:near": 30, "ood:far": 20}


def test_details_say_sign_positive_class_and_sets():
    details = OodAuroc().details(random_units())
    assert details["score"] == "log max-softmax, higher = more in-distribution"
    assert details["positive_class"] == "in-distribution: 40 test images"
    assert details["negative_class"] == "out-of-distribution: near (30 images, given), far (20 images, given)"
    assert json.loads(json.dumps(details)) == details


def test_details_of_every_set():
    measured = random_units()
    details = OodAuroc().details(measured)["sets"]
    assert list(details) == ["near", "far"]
    inside = measured["max_softmax"][:40]
    for name, rows in (("near", slice(40, 70)), ("far", slice(70, 90))):
        outside = measured["max_softmax"][rows]
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
    measured = units([[9, 8], [8, 7]], a=[[2, 1], [1, 0]])
    values = {score: OodAuroc(score=score).value(measured) for score in ("max_softmax", "max_logit", "energy")}
    assert values == {"max_softmax": 0.5, "max_logit": 1, "energy": 1}
    for score in values:
        details = OodAuroc(score=score).details(measured)
        assert details["sets"]["a"]["auroc"] == values[score]
        assert {other: details["sets"]["a"][f"{other}_auroc"] for other in values} == values


def test_energy_adds_up_all_classes_and_max_logit_sees_one():
    """log(e^1 + e^1) = 1.69 > 1.5 = about log(e^1.5 + e^-9), though 1 < 1.5."""
    measured = units([[1, 1]], a=[[1.5, -9]])
    assert OodAuroc(score="energy").value(measured) == 1
    assert OodAuroc(score="max_logit").value(measured) == 0


@pytest.mark.parametrize("score", ["max_softmax", "max_logit", "energy"])
def test_scores_agree_with_their_formulas(score):
    rng = np.random.default_rng(2)
    inside, outside = rng.normal(size=(25, 3)) * 2, rng.normal(size=(20, 3))
    formula = {
        "max_softmax": lambda z: max(reference_calibration.softmax(z)),
        "max_logit": max,
        "energy": lambda z: np.log(sum(np.exp(value) for value in z)),
    }[score]
    scores = [[formula(row) for row in rows.astype(np.float32).tolist()] for rows in (inside, outside)]
    measured = units(inside, a=outside)
    assert OodAuroc(score=score).value(measured) == pytest.approx(reference.auroc(*scores))
    numbers = OodAuroc(score=score).details(measured)["sets"]["a"]
    assert numbers["aupr_in"] == pytest.approx(reference.average_precision(*scores))
    negated = [[-value for value in values] for values in scores]
    assert numbers["aupr_out"] == pytest.approx(reference.average_precision(*reversed(negated)))
    assert numbers["fpr95"] == reference.false_positive_rate(*scores, 0.95)


def test_details_name_the_score():
    words = {score: OodAuroc(score=score).details(random_units())["score"] for score in ("max_logit", "energy")}
    assert words == {
        "max_logit": "maximum logit, higher = more in-distribution",
        "energy": "negative energy (log-sum-exp of the logits), higher = more in-distribution",
    }


def test_an_unknown_score_is_refused():
    with pytest.raises(OptionError, match=r"ood_auroc.*'max_softmax', 'max_logit' or 'energy'"):
        create("ood_auroc", score="entropy")


def test_a_new_score_is_one_entry(monkeypatch):
    monkeypatch.setitem(SCORES, "least", Score(lambda logits: -logits.min(axis=1).astype(float), "minus the minimum"))
    measured = units([[1, 0]], a=[[9, 0.5], [1, -1]])
    assert create("ood_auroc", score="least").value(measured) == 0.5
    details = OodAuroc(score="least").details(measured)
    assert details["score"] == "minus the minimum, higher = more in-distribution"
    assert details["sets"]["a"]["least_auroc"] == 0.5 and details["sets"]["a"]["max_logit_auroc"] == 0.25


def test_groups_have_the_means_of_their_sets():
    logits = {"a": [[1, 0], [3, 0]], "b": [[1, 0]], "c": [[9, 0]]}
    details = OodAuroc().details(units([[2, 0]], {"a": "far", "b": "far", "c": "near"}, **logits))
    assert {name: numbers["group"] for name, numbers in details["sets"].items()} == {
        "a": "far",
        "b": "far",
        "c": "near",
    }
    assert details["groups"]["far"]["sets"] == ["a", "b"]
    assert details["groups"]["far"]["auroc"] == 0.75
    assert details["groups"]["far"]["fpr95"] == 0.25
    assert details["groups"]["near"]["auroc"] == 0
    assert details["mean_fpr95"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert "c (1 images, near)" in details["negative_class"]


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


def cut_units(inside, labels, outside, outputs):
    """Units of one set that is judged on some of the outputs, beside one that is not."""
    logits = {"test": inside, "ood:cut": outside, "ood:whole": outside}
    own = {
        Predictions(name): {"logits": np.asarray(rows, np.float32), "label": np.resize(labels, len(rows))}
        for name, rows in logits.items()
    }
    images = ArrayImages(np.zeros((len(labels), 2, 2, 1), np.uint8), np.asarray(labels))
    benchmark = Benchmark("b", images, ood={"cut": images, "whole": images}, ood_outputs={"cut": outputs})
    return OodAuroc().units(own, own, benchmark)


def test_a_set_of_some_outputs_is_judged_on_these_and_on_the_test_images_of_these_classes():
    """As in the published evaluation of ImageNet-O: logits are cut before the softmax, images by their label."""
    rng = np.random.default_rng(3)
    inside, outside = rng.normal(size=(60, 6)) * 2, rng.normal(size=(40, 6)) * 2
    labels, outputs = rng.integers(0, 6, 60), (1, 2, 5)
    measured = cut_units(inside, labels, outside, outputs)
    chosen = inside[np.isin(labels, outputs)][:, outputs].astype(np.float32).astype(float)
    others = outside[:, outputs].astype(np.float32).astype(float)
    confidence = [[max(reference_calibration.softmax(row)) for row in rows] for rows in (chosen, others)]
    details = OodAuroc().details(measured)
    assert details["sets"]["cut"]["auroc"] == pytest.approx(reference.auroc(*confidence))
    assert details["sets"]["cut"]["n_in"] == len(chosen)
    assert details["sets"]["whole"]["auroc"] == pytest.approx(
        OodAuroc().details(units(inside, a=outside))["sets"]["a"]["auroc"]
    )
    assert f"({len(chosen)} beside cut, on the outputs of its classes)" in details["positive_class"]


def test_weights_of_a_cut_set_repeat_its_test_images():
    """Whole weights are the same as showing an image that often, also where only some test images take part."""
    rng = np.random.default_rng(4)
    inside, outside, labels = rng.normal(size=(20, 4)), rng.normal(size=(9, 4)), np.arange(20) % 4
    often, often_outside = rng.integers(0, 4, 20), rng.integers(1, 3, 9)
    measured = cut_units(inside, labels, outside, (0, 3))
    repeated = cut_units(inside.repeat(often, 0), labels.repeat(often), outside.repeat(often_outside, 0), (0, 3))
    weights = np.concatenate([often, often_outside, often_outside]).astype(float)
    np.testing.assert_allclose(OodAuroc().reduce(measured, weights), OodAuroc().value(repeated))
    assert OodAuroc().value(measured) != pytest.approx(OodAuroc().value(repeated))
