"""Formulas found on one half of the images and judged on the other."""

import numpy as np
from array_probe import probe_of, random_masks, random_unit
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_compositional import best_of_all, explain, held_out

from sparsescope.dissection import DissectionSettings, store_concepts
from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.held_out import HeldOut
from sparsescope.dissection.packing import pack
from sparsescope.dissection.search import search
from sparsescope.dissection.unit_mask import Covered, UnitMask


def found(masks, unit, **options):
    judge = HeldOut(store_concepts(probe_of(masks)), DissectionSettings(**options))
    return judge.iou(UnitMask.from_images(np.arange(len(unit)), pack(unit)))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 5))
def test_equals_the_literal_rewrite(seed, length, beam):
    rng = np.random.default_rng(seed)
    concepts, images = int(rng.integers(1, 9)), int(rng.integers(2, 8))
    masks = random_masks(rng, concepts, images, *map(int, rng.integers(1, 11, 2)))
    unit = random_unit(rng, masks)
    if unit.any():
        by_beam = held_out(unit, masks, lambda *half: explain(*half, length, beam)[0])
        assert found(masks, unit, length=length, beam=beam, search="beam") == by_beam
        if length * concepts <= 12:
            exactly = held_out(unit, masks, lambda *half: best_of_all(*half, length)[0])
            assert found(masks, unit, length=length) == exactly


def test_by_hand():
    """Four images of 1 x 4 with two concepts; the unit fires as the first does, but in image 3 elsewhere."""
    masks = np.zeros((2, 4, 1, 4), dtype=bool)
    masks[0, :, 0, :2] = True
    masks[1, :, 0, 2:] = True
    unit = masks[0].copy()
    unit[3, 0] = [False, False, True, False]
    # Even images (0, 2) give concept 0, IoU 1: in 1 and 3 it shares 2 of 5 pixels. Odd ones give concept 0 too (2 of 5
    # against 1 of 6), which shares all 4 of 4 in 0 and 2.
    assert found(masks, unit, length=1) == (2 + 4) / (5 + 4)


def test_a_unit_that_fires_in_one_half_only_explains_nothing():
    masks = np.ones((1, 4, 2, 2), dtype=bool)
    unit = masks[0].copy()
    unit[1::2] = False
    assert found(masks, unit) == 0.0


def test_one_image_has_no_halves():
    assert np.isnan(found(np.ones((1, 1, 2, 2), dtype=bool), np.ones((1, 2, 2), dtype=bool)))


def test_what_was_only_chosen_vanishes():
    """Units that fire at random: the search finds formulas all the same, and they say nothing of the other half."""
    rng = np.random.default_rng(5)
    store = store_concepts(probe_of(rng.random((40, 60, 6, 6)) < 0.02))
    judge, areas = HeldOut(store, DissectionSettings()), FormulaAreas(store)
    units = [UnitMask.from_images(np.arange(60), pack(rng.random((60, 6, 6)) < 0.01)) for _ in range(30)]
    chosen = np.mean([search(areas, Covered(store, unit)).iou for unit in units])
    held = np.mean([judge.iou(unit) for unit in units])
    assert chosen > 0.03 > 0.02 > held > 0
