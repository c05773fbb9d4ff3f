"""Pictures of units: the right images, in the right order, with the masks that the dissection counted."""

import numpy as np
import pytest
import torch
from array_probe import ArrayProbe, random_masks

from sparsescope.dissection import DissectionSettings, dissect, portraits


@pytest.fixture
def probe():
    """Label maps of the maps' size: a unit fires exactly where its activation exceeds the threshold."""
    rng = np.random.default_rng(3)
    return ArrayProbe(rng.random((20, 3, 8, 8)), random_masks(rng, 6, 20, 8, 8))


@pytest.fixture
def found(small_classifier, probe):
    return dissect(small_classifier, probe, "0", settings=DissectionSettings(fraction=0.2, null=False))


def test_the_strongest_images_by_their_largest_activation(small_classifier, probe, found):
    outputs = []
    handle = small_classifier.module[0].register_forward_hook(lambda _m, _i, output: outputs.append(output))
    with small_classifier.prepared(), torch.no_grad():
        small_classifier(probe.read(range(20)))
    handle.remove()
    peaks = outputs[0].amax(dim=(2, 3)).numpy()
    assert found.strongest.shape == (6, 16)
    for k in range(6):
        assert found.strongest[k].tolist() == np.argsort(-peaks[:, k], kind="stable")[:16].tolist()
        shown = portraits(small_classifier, probe, found, [k], 3)[k]
        assert [item.image for item in shown] == found.strongest[k][:3].tolist()


def test_masks_are_those_that_were_counted(small_classifier, probe, found):
    made = portraits(small_classifier, probe, found, range(6), 16, batch_size=7)
    seen = 0
    for k, row in made.items():
        masks = dict(zip(probe.concepts, probe.masks, strict=True))
        for item in row:
            np.testing.assert_array_equal(item.pixels, probe.images[item.image])
            assert item.fires.shape == item.holds.shape == (8, 8)
            np.testing.assert_array_equal(item.holds, found.units[k].formula.evaluate(masks)[item.image])
            both, either = (item.fires & item.holds).sum(), (item.fires | item.holds).sum()
            assert both == found.intersection[item.image, k] and either == found.union[item.image, k]
            assert item.iou == both / either
            seen += int(item.fires.sum())
    assert seen > 100


def test_images_where_a_unit_does_not_fire_and_dead_units_are_not_shown(small_classifier, probe):
    with torch.no_grad():
        small_classifier.module[0].weight[1] = 0
    found = dissect(small_classifier, probe, "0", settings=DissectionSettings(fraction=0.002, null=False))
    made = portraits(small_classifier, probe, found, [0, 1], 16)
    assert found.units[1].dead and made[1] == ()
    assert 1 <= len(made[0]) < 16 and all(item.fires.any() for item in made[0])
    assert portraits(small_classifier, probe, found, [], 4) == {}
