"""The exact search against all formulas, one after the other: the same formula, the same IoU, to the last bit."""

import numpy as np
import pytest
from array_probe import probe_of, random_masks, random_unit
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_compositional import best_of_all

from sparsescope.dissection import DissectionSettings, Operator, store_concepts
from sparsescope.dissection import exact as module
from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.exact import search_exactly
from sparsescope.dissection.packing import pack
from sparsescope.dissection.search import Found, search
from sparsescope.dissection.unit_mask import Covered, UnitMask
from sparsescope.errors import OptionError

SIZES = {1: 9, 2: 9, 3: 6, 4: 3}
"""Concepts, at most, by length: what the literal search can do in a moment."""


def covered_by(store, unit):
    return Covered(store, UnitMask.from_images(np.arange(len(unit)), pack(unit)))


def small_case(seed, length):
    rng = np.random.default_rng(seed)
    masks = random_masks(rng, int(rng.integers(1, SIZES[length] + 1)), int(rng.integers(1, 6)), *rng.integers(1, 11, 2))
    return masks, [unit for unit in (random_unit(rng, masks) for _ in range(2)) if unit.any()]


def literally(found):
    return None if found.formula is None else (found.formula[0], tuple(map(str, found.formula[1])))


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_equals_all_formulas(seed, length):
    masks, units = small_case(seed, length)
    store = store_concepts(probe_of(masks))
    areas = FormulaAreas(store)
    for unit in units:  # the second finds what was counted for the first
        covered = covered_by(store, unit)
        found, beam = search_exactly(areas, covered, length=length), search(areas, covered, length=length)
        assert (literally(found), found.iou) == best_of_all(unit, masks, length)
        assert found.bound == found.iou >= beam.iou
        assert (found.label, found.label_iou) == (beam.label, beam.label_iou)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([3, 3, 3, 4]), st.integers(1, 12), st.integers(1, 3))
def test_with_few_nodes_the_gap_is_true(seed, length, nodes, beam):
    masks, units = small_case(seed, length)
    store = store_concepts(probe_of(masks))
    areas = FormulaAreas(store)
    for unit in units:
        covered = covered_by(store, unit)
        found = search_exactly(areas, covered, length=length, nodes=nodes, beam=beam)
        _, best = best_of_all(unit, masks, length)
        assert search(areas, covered, length=length, beam=beam).iou <= found.iou <= best <= found.bound


def scattered(seed, concepts=12):
    """Concepts that overlap at random, and a unit that follows three of them."""
    rng = np.random.default_rng(seed)
    masks = (rng.random((concepts, 6, 16, 16)) < 0.3) & (rng.random((concepts, 6)) < 0.7)[:, :, None, None]
    return masks, (masks[3] | masks[7]) & ~masks[11] & (rng.random((6, 16, 16)) < 0.7)


def test_an_unproven_unit_says_so_and_more_nodes_prove_it():
    masks, unit = scattered(1)
    store = store_concepts(probe_of(masks))
    few, all_ = (search_exactly(FormulaAreas(store), covered_by(store, unit), nodes=nodes) for nodes in (10, 220))
    assert few.bound > few.iou
    # A beam as wide as there are formulas of two concepts leaves nothing out.
    assert all_.bound == all_.iou == search(FormulaAreas(store), covered_by(store, unit), beam=500).iou


def test_the_first_of_equally_good_formulas_even_where_a_beam_ends_with_another():
    """Three stripes that meet in one pixel: the beam of one comes by (1, 2) and ends with (1, 2, 0)."""
    masks = np.zeros((3, 1, 4, 8), dtype=bool)
    masks[0, 0, :, :5], masks[1, 0, :2, 2:6], masks[2, 0, 1:, 4:] = True, True, True
    unit = masks[0] & masks[1] & masks[2]
    store = store_concepts(probe_of(masks))
    every = (Operator.AND, Operator.AND)
    found = search_exactly(FormulaAreas(store), covered_by(store, unit))
    beam = search(FormulaAreas(store), covered_by(store, unit), beam=1)
    assert (found.formula, found.iou) == (((0, 1, 2), every), 1)
    assert beam.iou == 1 and sorted(beam.formula[0]) == [0, 1, 2]


def test_few_of_the_sets_are_counted(monkeypatch):
    masks, unit = scattered(2, concepts=30)
    store = store_concepts(probe_of(masks))
    counted = []
    meeting = FormulaAreas.meeting
    monkeypatch.setattr(FormulaAreas, "meeting", lambda self, labels: counted.append(labels) or meeting(self, labels))
    search_exactly(FormulaAreas(store), covered_by(store, unit))
    assert 0 < len(counted) < 0.1 * 4060


def test_neither_the_units_before_nor_chunks_and_batches_change_anything(monkeypatch):
    masks, unit = scattered(3)
    store = store_concepts(probe_of(masks))
    fresh = search_exactly(FormulaAreas(store), covered_by(store, unit), nodes=100)
    used = FormulaAreas(store)
    for seed in range(4, 8):
        search_exactly(used, covered_by(store, scattered(seed)[1]))
        search(used, covered_by(store, scattered(seed)[1]))
    assert search_exactly(used, covered_by(store, unit), nodes=100) == fresh
    monkeypatch.setattr(module, "CHUNK", 7)
    monkeypatch.setattr(module, "BATCH", 1)
    assert search_exactly(FormulaAreas(store), covered_by(store, unit), nodes=100) == fresh


def test_a_unit_that_no_concept_meets_has_no_formula():
    masks = np.zeros((2, 1, 4, 4), dtype=bool)
    masks[0, 0, 0] = True
    unit = np.zeros((1, 4, 4), dtype=bool)
    unit[0, 3] = True
    store = store_concepts(probe_of(masks))
    assert search_exactly(FormulaAreas(store), covered_by(store, unit)) == Found(None, 0, None, 0, 0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"search": "best"}, "search to be one of exact, beam, but got 'best'"),
        ({"length": 5}, "length to be at most 4 with an exact search, but got 5"),
        ({"nodes": 0}, "nodes to be at least 1"),
    ],
)
def test_settings_that_no_search_can_serve(options, text):
    with pytest.raises(OptionError, match=text):
        DissectionSettings(**options)


def test_a_beam_search_has_formulas_of_any_length():
    assert DissectionSettings(length=7, search="beam").length == 7
