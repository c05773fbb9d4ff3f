import numpy as np
import pytest
from array_probe import probe_of, random_masks

from sparsescope.benchmark import Concept
from sparsescope.dissection import Operator, store_concepts
from sparsescope.dissection.packing import pack
from sparsescope.errors import DataError


@pytest.fixture(params=range(6))
def masks(request):
    return random_masks(np.random.default_rng(request.param), concepts=5, images=7, height=9, width=11)


def test_holds_the_masks_that_are_there(masks):
    store = store_concepts(probe_of(masks))
    assert store.n_images == 7 and store.label_shape == (9, 11)
    for concept in range(5):
        for image in range(7):
            row = store.rows[concept, image]
            assert (row >= 0) == masks[concept, image].any()
            np.testing.assert_array_equal(store.words[row], pack(masks[concept, image][None])[0])
    assert len(store.ids) == masks.any(axis=(2, 3)).sum() == len(store.words) - 1
    np.testing.assert_array_equal(store.areas, masks.sum(axis=(1, 2, 3)))
    flat = masks.reshape(5, -1).astype(int)
    np.testing.assert_array_equal(store.overlaps, flat @ flat.T)


@pytest.mark.parametrize(
    "operators",
    [(), (Operator.OR,), (Operator.AND,), (Operator.AND_NOT, Operator.OR), (Operator.AND, Operator.AND_NOT)],
)
def test_formulas_are_counted_image_by_image_and_with_a_concept(masks, operators):
    store = store_concepts(probe_of(masks))
    labels = (3, 1, 4)[: len(operators) + 1]
    mask = masks[labels[0]]
    for operator, label in zip(operators, labels[1:], strict=True):
        mask = {
            Operator.OR: mask | masks[label],
            Operator.AND: mask & masks[label],
            Operator.AND_NOT: mask & ~masks[label],
        }[operator]
    np.testing.assert_array_equal(store.image_areas((labels, operators)), mask.sum(axis=(1, 2)))
    for label in range(5):
        assert store.overlap((labels, operators), label) == (mask & masks[label]).sum()


def test_a_concept_without_pixels_is_not_there():
    probe = probe_of(np.zeros((2, 3, 4, 4), dtype=bool))
    probe.labels = lambda index: (np.array([1]), np.zeros((1, 4, 4), dtype=bool))
    store = store_concepts(probe)
    assert len(store.ids) == 0
    assert (store.rows == -1).all()


@pytest.mark.parametrize(
    ("labels", "masks", "message"),
    [
        (
            [0],
            np.zeros((1, 4, 5), bool),
            r"array: expected masks of image 0 to be bool \(1, 4, 4\) .* got bool \(1, 4, 5\)",
        ),
        ([0], np.zeros((1, 4, 4), int), r"got int64 \(1, 4, 4\)"),
        ([0, 1], np.zeros((1, 4, 4), bool), r"expected masks of image 0 to be bool \(2, 4, 4\)"),
        ([2], np.zeros((1, 4, 4), bool), r"concepts of image 0 to be ascending indices below 2, but got \[2\]"),
        ([1, 0], np.zeros((2, 4, 4), bool), r"ascending indices below 2, but got \[1, 0\]"),
        ([-1], np.zeros((1, 4, 4), bool), r"but got \[-1\]"),
    ],
)
def test_unusable_labels_name_the_image(labels, masks, message):
    probe = probe_of(np.zeros((2, 3, 4, 4), dtype=bool))
    probe.labels = lambda index: (np.array(labels), masks)
    with pytest.raises(DataError, match=message):
        store_concepts(probe)


def test_concepts_keep_their_names():
    assert store_concepts(probe_of(np.zeros((2, 1, 2, 2), bool), ["sky", "red"])).concepts == (
        Concept("sky", "even"),
        Concept("red", "odd"),
    )
