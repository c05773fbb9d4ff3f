import dataclasses
import json

import numpy as np
import pytest
from array_probe import ArrayProbe

from sparsescope.dissection import DissectionSettings, dissect
from sparsescope.errors import NotEvaluated, OptionError
from sparsescope.metrics import composition as module
from sparsescope.metrics import create
from sparsescope.metrics.composition import Composition
from sparsescope.results import plain
from sparsescope.units import Units, resampling_weights


def units(intersection, union, **common):
    union = np.array(union, dtype=np.int32)
    width = union.shape[1]
    defaults = {
        "layer": np.array("layer3"),
        "formula": np.array(["a OR b"] * width),
        "label": np.array(["a"] * width),
        "category": np.array(["object"] * width),
        "length": np.full(width, 2),
        "dead": np.zeros(width, dtype=bool),
        "iou": np.full(width, 0.1),
        "label_iou": np.full(width, 0.05),
        "null_iou": np.full(width, 0.01),
        "held_out_iou": np.full(width, 0.02),
        "gap": np.zeros(width),
    }
    arrays = {"intersection": np.array(intersection, dtype=np.int32), "union": union}
    return Units({"probe": len(union)}, arrays, {**defaults, **common})


@pytest.fixture
def benchmark(small_benchmark):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 4, (20, 4, 4)).repeat(2, axis=1).repeat(2, axis=2)
    images = coarse[:, None] / 4 + 0.2 * rng.random((20, 3, 8, 8))
    probe = ArrayProbe(images, coarse == np.arange(4)[:, None, None, None], ["sky", "road", "red", "tree"])
    return dataclasses.replace(small_benchmark, probe=probe)


def test_says_that_there_is_no_probe_set(small_benchmark, small_classifier):
    with pytest.raises(NotEvaluated, match=r"^no probe set$"):
        Composition().measurements(small_benchmark)
    with pytest.raises(NotEvaluated, match=r"^no probe set$"):
        Composition().measure(small_classifier, small_benchmark)


def test_the_value_by_hand():
    """Images 1 and 2, units: 4/10 and 3/5; the dead unit counts for nothing."""
    found = units([[1, 1, 0], [3, 2, 0]], [[4, 2, 0], [6, 3, 0]], dead=np.array([False, False, True]))
    metric = Composition()
    assert metric.value(found) == pytest.approx((4 / 10 + 3 / 5) / 2)
    weights = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    expected = [(1 / 4 + 1 / 2) / 2, 0.5, (3 / 6 + 2 / 3) / 2]
    np.testing.assert_allclose(metric.reduce(found, weights), expected)


def test_resamples_that_show_nothing_of_a_unit_leave_it_out():
    found = units([[1, 0], [0, 1]], [[2, 0], [0, 4]])
    np.testing.assert_allclose(
        Composition().reduce(found, np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])), [0.5, 0.25, 0.375]
    )
    assert np.isnan(Composition().reduce(found, np.zeros((1, 2)))).all()


def test_all_dead_is_not_a_number():
    assert np.isnan(Composition().value(units([[0, 0]], [[0, 0]], dead=np.array([True, True]))))


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    union = rng.integers(0, 50, (9, 7))
    found = units(rng.integers(0, union + 1), union)
    weights = resampling_weights({"probe": 9}, range(20), 0)
    whole = Composition().reduce(found, weights)
    monkeypatch.setattr(module, "BLOCK", 2)
    np.testing.assert_allclose(Composition().reduce(found, weights), whole, rtol=1e-12)


def test_measured_as_the_engine_finds_it(small_classifier, benchmark):
    metric = Composition(layer="1", fraction=0.05, length=2)
    found = metric.measure(small_classifier, benchmark, seed=3)
    settings = DissectionSettings(fraction=0.05, length=2)
    direct = dissect(small_classifier, benchmark.probe, "1", settings=settings, seed=3)
    assert metric.value(found) == pytest.approx(direct.mean_iou, rel=1e-12)
    assert dict(found.strata) == {"probe": 20}
    details = metric.details(found)
    assert json.loads(json.dumps(plain(details))) == details
    assert (details["layer"], details["images"], details["layer_units"], details["dead"]) == ("1", 20, 6, 0)
    rows = direct.rows()
    assert [{name: row[name] for name in rows[0]} for row in details["units"]] == rows
    for name in ("null_iou", "held_out_iou"):
        assert [row[name] for row in details["units"]] == [getattr(unit, name) for unit in direct.units]
        assert details[name] == pytest.approx(np.mean([getattr(unit, name) for unit in direct.units]))
    assert [row["category"] for row in details["units"]] == [unit.label.category for unit in direct.units]
    ious = [unit.iou for unit in direct.units]
    assert details["unique_formulas"] == len({row["formula"] for row in rows})
    assert details["share_above_0.04"] == np.mean(np.array(ious) > 0.04)
    assert details["label_iou"] == pytest.approx(np.mean([unit.label_iou for unit in direct.units]))
    assert details["quantiles"]["0"] == min(ious) and details["quantiles"]["1"] == max(ious)
    assert sum(details["share_by_category"].values()) == pytest.approx(1)


def test_details_of_dead_units_and_of_units_without_a_formula():
    nan = float("nan")
    found = units(
        [[0, 0, 3]],
        [[0, 5, 6]],
        dead=np.array([True, False, False]),
        formula=np.array(["", "", "sky"]),
        label=np.array(["", "", "sky"]),
        category=np.array(["", "", "object"]),
        length=np.array([0, 0, 1]),
        iou=np.array([nan, 0.0, 0.5]),
        label_iou=np.array([nan, 0.0, 0.5]),
        null_iou=np.array([nan, 0.0, 0.1]),
        held_out_iou=np.full(3, nan),
    )
    details = Composition().details(found)
    assert (details["dead"], details["layer_units"], details["unique_formulas"]) == (1, 3, 1)
    assert details["share_above_0.04"] == 0.5 and details["share_by_category"] == {"object": 0.5}
    assert details["null_iou"] == 0.05 and details["null_share_above_0.04"] == 0.5
    dead, unmet, sky = details["units"]
    assert (dead["dead"], dead["iou"], dead["formula"], dead["length"]) == (True, None, None, 0)
    assert (unmet["dead"], unmet["iou"], unmet["formula"], unmet["label"]) == (False, 0.0, None, None)
    assert (sky["formula"], sky["length"], sky["iou"]) == ("sky", 1, 0.5)
    assert details["held_out_iou"] is None and [row["held_out_iou"] for row in details["units"]] == [None] * 3


@pytest.mark.parametrize(
    "options",
    [
        {"fraction": 0},
        {"fraction": 1},
        {"length": 0},
        {"beam": 0},
        {"search": "best"},
        {"length": 5},
        {"beam": 6},
        {"search": "beam", "nodes": 7},
    ],
)
def test_options_outside_their_range(options):
    with pytest.raises(OptionError, match="Metric composition: Expected"):
        create("composition", **options)
