"""The search against the literal rewrite: the same formulas and the same IoUs, to the last bit."""

import numpy as np
import pytest
from array_probe import probe_of, random_masks, random_unit
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_compositional import explain

from sparsescope.dissection import Operator, areas, store_concepts
from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.concepts import ConceptStore
from sparsescope.dissection.packing import pack
from sparsescope.dissection.search import search
from sparsescope.dissection.unit_mask import Covered, UnitMask


def unit_mask(unit):
    return UnitMask.from_images(np.arange(len(unit)), pack(unit))


def found(counted, store, unit, **options):
    """The search's answer in the reference's terms."""
    result = search(counted, Covered(store, unit_mask(unit)), **options)
    if result.formula is None:
        return None, result.iou, None, result.label_iou
    labels, operators = result.formula
    return (labels, tuple(map(str, operators))), result.iou, ((result.label,), ()), result.label_iou


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 6))
def test_equals_the_literal_rewrite(seed, length, beam):
    rng = np.random.default_rng(seed)
    concepts, images = int(rng.integers(1, 9)), int(rng.integers(1, 6))
    masks = random_masks(rng, concepts, images, *map(int, rng.integers(1, 11, 2)))
    store = store_concepts(probe_of(masks))
    counted = FormulaAreas(store)
    for _ in range(2):  # the second unit finds areas that were counted for the first
        unit = random_unit(rng, masks)
        if unit.any():
            expected = explain(unit, masks, length, beam)
            assert found(counted, store, unit, length=length, beam=beam) == expected


def test_forgetting_areas_changes_nothing(monkeypatch):
    monkeypatch.setattr(areas, "KEPT_BYTES", 0)
    rng = np.random.default_rng(3)
    masks = rng.random((30, 4, 8, 8)) < 0.4
    store = store_concepts(probe_of(masks))
    forgetful = FormulaAreas(store)
    for _ in range(12):
        unit = random_unit(rng, masks)
        assert found(forgetful, store, unit) == explain(unit, masks)
    assert len(forgetful._known) <= 64


def test_by_hand():
    """Two images of 1 x 6: water covers 0-1, river 2-3, blue 1 and 4-5; the unit fires at 0, 2, 3 of the first."""
    masks = np.zeros((3, 2, 1, 6), dtype=bool)
    masks[0, 0, 0, :2] = masks[1, 0, 0, 2:4] = masks[2, 0, 0, [1, 4, 5]] = True
    masks[2, 1] = True
    unit = np.zeros((2, 1, 6), dtype=bool)
    unit[0, 0, [0, 2, 3]] = True
    store = store_concepts(probe_of(masks))
    result = search(FormulaAreas(store), Covered(store, unit_mask(unit)))
    assert result.formula == ((0, 1, 2), (Operator.OR, Operator.AND_NOT))
    assert result.iou == 1
    assert (result.label, result.label_iou) == (1, 2 / 3)
    two = search(FormulaAreas(store), Covered(store, unit_mask(unit)), length=2)
    assert (two.formula, two.iou) == (((0, 1), (Operator.OR,)), 3 / 4)
    one = search(FormulaAreas(store), Covered(store, unit_mask(unit)), length=1)
    assert (one.formula, one.iou) == (((1,), ()), 2 / 3)


def test_ties_are_broken_by_length_then_label_order():
    masks = np.zeros((4, 1, 2, 2), dtype=bool)
    masks[1:3, 0, 0] = True  # the same concept twice, after one that is never seen
    masks[3, 0, 1] = True
    store = store_concepts(probe_of(masks))
    result = search(FormulaAreas(store), Covered(store, unit_mask(masks[2])))
    assert (result.formula, result.iou, result.label) == (((1,), ()), 1, 1)  # not `c1 OR c1`, nor c2
    whole = search(FormulaAreas(store), Covered(store, unit_mask(np.ones((1, 2, 2), bool))))
    assert whole.formula == ((1, 3), (Operator.OR,))  # not (3, 1), which has the same IoU


def test_a_unit_that_no_concept_meets_has_no_formula():
    masks = np.zeros((2, 1, 4, 4), dtype=bool)
    masks[0, 0, 0] = True
    store = store_concepts(probe_of(masks))
    unit = np.zeros((1, 4, 4), dtype=bool)
    unit[0, 3] = True
    result = search(FormulaAreas(store), Covered(store, unit_mask(unit)))
    assert (result.formula, result.iou, result.label, result.label_iou) == (None, 0.0, None, 0.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_bounds_hold_the_overlaps(seed):
    rng = np.random.default_rng(seed)
    masks = random_masks(rng, 6, 4, 5, 7)
    store = store_concepts(probe_of(masks))
    counted = FormulaAreas(store)
    for _ in range(10):
        length = int(rng.integers(1, 5))
        code = tuple(map(int, rng.integers(0, 6, length))), tuple(Operator(o) for o in rng.integers(0, 3, length - 1))
        true = np.array([store.overlap(code, label) for label in range(6)])
        bounds = counted.of(code)
        assert (bounds.lower <= true).all() and (true <= bounds.upper).all()
        assert bounds.area == store.image_areas(code).sum()
        label = int(rng.integers(6))
        assert counted.exact(code, label) == true[label] == counted.of(code).lower[label]


def test_labels_of_one_map_are_never_counted(monkeypatch):
    """Disjoint concepts: the bounds meet, so no formula is evaluated on the whole probe set."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, (6, 16, 16))
    masks = labels[None] == np.arange(12)[:, None, None, None]
    store = store_concepts(probe_of(masks))
    counted = FormulaAreas(store)
    unit = random_unit(rng, masks)
    expected = explain(unit, masks)
    monkeypatch.setattr(ConceptStore, "overlap", lambda *_: pytest.fail("counted"))
    assert found(counted, store, unit) == expected


def test_few_of_the_extensions_are_counted(monkeypatch):
    rng = np.random.default_rng(1)
    masks = (rng.random((40, 6, 16, 16)) < 0.3) & (rng.random((40, 6)) < 0.6)[:, :, None, None]
    unit = (masks[3] | masks[7]) & ~masks[11] & (rng.random((6, 16, 16)) < 0.7)
    store = store_concepts(probe_of(masks))
    counts = []
    overlap = ConceptStore.overlap
    monkeypatch.setattr(ConceptStore, "overlap", lambda *arguments: counts.append(1) or overlap(*arguments))
    assert found(FormulaAreas(store), store, unit) == explain(unit, masks)
    assert 0 < len(counts) < 0.2 * 5 * 3 * 40


def test_shuffled_masks_move_whole_images():
    rng = np.random.default_rng(2)
    unit = rng.random((5, 6, 7)) < 0.3
    order = rng.permutation(5)
    moved = np.zeros_like(unit)
    moved[order] = unit
    one, two = unit_mask(unit).shuffled(order), unit_mask(moved)
    np.testing.assert_array_equal(one.image_areas(5), two.image_areas(5))
    masks = rng.random((3, 5, 6, 7)) < 0.4
    store = store_concepts(probe_of(masks))
    np.testing.assert_array_equal(Covered(store, one).areas, [(moved & mask).sum() for mask in masks])
